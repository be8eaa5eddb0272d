//! The effective configuration as TOML, each value with its origin.

use core::fmt::Write as _;

use figment::value::{Dict, Value};

use super::document::Document;
use super::error::Origin;
use super::path::{KeyPath, Step};

impl Document {
    /// The effective configuration as TOML, with the origin of each value in a comment behind it:
    /// `ttl = "3s" # tsu.toml:12`. Defaults appear once their reader has been called. Values are
    /// as written; they hold no secrets, which only ever are in files of their own.
    #[must_use]
    pub fn show(&self) -> String {
        let (root, defaults) = self.effective();
        let mut root = root.clone();
        for (path, value) in defaults {
            insert(&mut root, path.steps(), value);
        }
        let mut shown = String::new();
        if let Value::Dict(_, table) = &root {
            self.show_table(&mut shown, &KeyPath::default(), "", table);
        }
        shown
    }

    /// `header` is the path as headers write it, without indices.
    fn show_table(&self, out: &mut String, path: &KeyPath, header: &str, table: &Dict) {
        for (key, value) in table.iter().filter(|(_, value)| kind(value) == Kind::Plain) {
            let origin = self.shown_origin(&path.key(key));
            let key = toml_edit::Key::new(key);
            push_line(out, format_args!("{key} = {} # {origin}", to_toml(value)));
        }
        for (key, value) in table {
            let path = path.key(key);
            let key = toml_edit::Key::new(key);
            let header =
                if header.is_empty() { key.to_string() } else { format!("{header}.{key}") };
            match value {
                Value::Dict(_, table) => {
                    push_line(out, format_args!("\n[{header}]"));
                    self.show_table(out, &path, &header, table);
                }
                Value::Array(_, tables) if kind(value) == Kind::Tables => {
                    for (index, table) in tables.iter().enumerate() {
                        push_line(out, format_args!("\n[[{header}]]"));
                        let Value::Dict(_, table) = table else { continue };
                        self.show_table(out, &path.index(index), &header, table);
                    }
                }
                _ => {}
            }
        }
    }

    /// The origin with its line; a comment must not hold control characters.
    fn shown_origin(&self, path: &KeyPath) -> String {
        let origin = match (self.get(path), self.origin(path)) {
            (None, _) => "default".to_owned(),
            (_, Origin::File { path, at: Some(at) }) => format!("{}:{}", path.display(), at.line),
            (_, origin) => origin.to_string(),
        };
        origin.replace(char::is_control, "?")
    }
}

fn push_line(out: &mut String, line: core::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("writing to a String cannot fail");
}

/// How a value is written.
#[derive(PartialEq, Eq)]
enum Kind {
    Plain,
    Table,
    Tables,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Dict(..) => Kind::Table,
        Value::Array(_, values)
            if !values.is_empty() && values.iter().all(|value| value.as_dict().is_some()) =>
        {
            Kind::Tables
        }
        _ => Kind::Plain,
    }
}

/// Puts a default in its place; one whose table turned out to be something else has none.
fn insert(root: &mut Value, steps: &[Step], value: Value) {
    match (root, steps) {
        (Value::Dict(_, table), [Step::Key(key)]) => {
            table.entry(key.clone()).or_insert(value);
        }
        (Value::Dict(_, table), [Step::Key(key), rest @ ..]) => {
            let inner = table.entry(key.clone()).or_insert_with(|| Dict::new().into());
            insert(inner, rest, value);
        }
        (Value::Array(_, values), [Step::Index(index), rest @ ..]) => {
            if let Some(inner) = values.get_mut(*index) {
                insert(inner, rest, value);
            }
        }
        _ => {}
    }
}

fn to_toml(value: &Value) -> toml_edit::Value {
    match value {
        Value::String(_, text) => text.as_str().into(),
        Value::Char(_, c) => c.to_string().into(),
        Value::Bool(_, b) => (*b).into(),
        Value::Num(_, number) => match (super::value::integer(value), number.to_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(float)) => float.into(),
            (None, None) => format!("{number:?}").into(),
        },
        Value::Empty(..) => "".into(),
        Value::Array(_, values) => values.iter().map(to_toml).collect::<toml_edit::Array>().into(),
        Value::Dict(_, table) => {
            let inline: toml_edit::InlineTable =
                table.iter().map(|(key, value)| (key.as_str(), to_toml(value))).collect();
            inline.into()
        }
    }
}
