//! The merged layers, the origin of every value, and what the readers have recorded so far.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use figment::value::Value;
use figment::{Figment, Source};

use super::error::{ConfigError, ConfigErrors, Origin, Position};
use super::layer::{SourceFile, Variable, overlays};
use super::path::{KeyPath, Step};
use super::section::Section;

/// The layers of a configuration merged into one, with the origin of every value.
///
/// It records what its [sections](Section) were asked for and every mistake they met;
/// [`finish`](Self::finish) hands all of them over at once.
#[derive(Debug)]
pub struct Document {
    figment: Figment,
    root: Value,
    /// The main file first, then the others in the order of their layers.
    files: Vec<SourceFile>,
    main: PathBuf,
    variables: Vec<Variable>,
    state: RefCell<State>,
}

/// What the readers record.
#[derive(Debug, Default)]
struct State {
    errors: Vec<ConfigError>,
    /// For every table that was opened: the keys it was asked for.
    asked: BTreeMap<KeyPath, BTreeSet<String>>,
    defaults: BTreeMap<KeyPath, Value>,
}

impl Document {
    /// Reads `path`, then `*.toml` of the directory beside it (`tsu.d` for `tsu.toml`) in the
    /// order of their names, then the variables of this process that begin with `env_prefix`:
    /// `PREFIX_SECTION__KEY` sets `section.key`. A later layer replaces values, and arrays as a
    /// whole; tables are merged.
    ///
    /// # Errors
    /// All files that cannot be read or are not TOML, and all variables that name no key.
    pub fn load(path: &Path, env_prefix: &str) -> Result<Self, ConfigErrors> {
        let vars = std::env::vars_os()
            .map(|(name, text)| (name.to_string_lossy().into_owned(), text.into_string().ok()));
        Self::merge(path, env_prefix, vars)
    }

    /// As [`load`](Self::load), with `vars` in place of the environment of this process.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with_env(
        path: &Path,
        env_prefix: &str,
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        Self::merge(path, env_prefix, vars.into_iter().map(|(name, text)| (name, Some(text))))
    }

    fn merge(
        path: &Path,
        env_prefix: &str,
        vars: impl Iterator<Item = (String, Option<String>)>,
    ) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let overlays = overlays(path).map_err(|error| errors.push(error)).unwrap_or_default();
        let mut figment = Figment::new();
        let mut files = Vec::new();
        for file in std::iter::once(path.to_owned()).chain(overlays) {
            match SourceFile::read(&file) {
                Ok((file, layer)) => {
                    figment = figment.merge(layer);
                    files.push(file);
                }
                Err(error) => errors.push(error),
            }
        }
        let mut variables: Vec<Variable> = Vec::new();
        let mut ours: Vec<_> = vars
            .filter_map(|(name, text)| {
                let rest = strip_prefix_ignoring_case(&name, env_prefix)?.to_owned();
                Some((name, rest, text))
            })
            .collect();
        ours.sort();
        for (name, rest, text) in ours {
            match Variable::parse(&name, &rest, text) {
                Ok((variable, layer)) => {
                    figment = figment.merge(layer);
                    errors.extend(variables.iter().find_map(|other| clash(&variable, other)));
                    variables.push(variable);
                }
                Err(error) => errors.push(error),
            }
        }
        let root =
            figment.find_value("").unwrap_or_else(|_| Value::from(figment::value::Dict::new()));
        let state = RefCell::default();
        let document = Self { figment, root, files, main: path.to_owned(), variables, state };
        if errors.is_empty() { Ok(document) } else { Err(ConfigErrors(errors)) }
    }

    /// The table that holds everything.
    #[must_use]
    pub fn root(&self) -> Section<'_> {
        Section::open(self, KeyPath::default())
    }

    /// Ends the reading: `value` when nothing was wrong.
    ///
    /// # Errors
    /// Every mistake recorded, and every key that no reader asked for.
    pub fn finish<T>(&self, value: Option<T>) -> Result<T, ConfigErrors> {
        let mut errors = self.state.borrow().errors.clone();
        self.unknown_keys(&KeyPath::default(), &self.root, &mut errors);
        self.unknown_variables(&self.variables, &mut errors);
        match value {
            Some(value) if errors.is_empty() => return Ok(value),
            None if errors.is_empty() => errors.push(ConfigError {
                origin: self.origin(&KeyPath::default()),
                key: String::new(),
                message: "refused, but no reader said why; please report this defect".to_owned(),
            }),
            _ => {}
        }
        Err(self.sorted(errors))
    }

    /// In the order of the layers and lines.
    fn sorted(&self, mut errors: Vec<ConfigError>) -> ConfigErrors {
        let rank = |error: &ConfigError| -> (usize, Option<Position>, String) {
            match &error.origin {
                Origin::File { path, at } => {
                    let known = self.files.iter().position(|file| file.path() == path);
                    (known.unwrap_or(0), *at, error.key.clone())
                }
                Origin::Env { variable } => (usize::MAX, None, variable.clone()),
            }
        };
        errors.sort_by_key(rank);
        ConfigErrors(errors)
    }

    /// The value at `path`.
    pub(super) fn get(&self, path: &KeyPath) -> Option<&Value> {
        path.steps().iter().try_fold(&self.root, |value, step| match step {
            Step::Key(key) => value.as_dict()?.get(key),
            Step::Index(index) => value.as_array()?.get(*index),
        })
    }

    /// The value at `path` as a text. A variable such as `1234` serves where a string is wanted.
    pub(super) fn text(&self, path: &KeyPath) -> Option<&str> {
        let given = || self.variables.iter().find(|variable| variable.key == *path);
        match self.get(path)? {
            Value::String(_, text) => Some(text),
            _ => given().map(|variable| variable.text.as_str()),
        }
    }

    /// Where the value at `path` came from. A merged table came from the first file that has it;
    /// what is absent belongs to the table that lacks it.
    pub(super) fn origin(&self, path: &KeyPath) -> Origin {
        let main = || Origin::File { path: self.main.clone(), at: None };
        let Some(value) = self.get(path) else {
            return path.parent().map_or_else(main, |parent| self.origin(&parent));
        };
        let in_array = path.steps().iter().any(|step| matches!(step, Step::Index(_)));
        if value.as_dict().is_some()
            && !in_array
            && let Some(file) = self.files.iter().find(|file| file.has_table(path))
        {
            return file.origin(path);
        }
        match self.figment.get_metadata(value.tag()).and_then(|layer| layer.source.as_ref()) {
            Some(Source::File(name)) => match self.files.iter().find(|file| file.path() == name) {
                Some(file) => file.origin(path),
                None => main(),
            },
            Some(Source::Custom(variable)) => Origin::Env { variable: variable.clone() },
            _ => main(),
        }
    }

    /// The directory to which a relative path at `path` belongs.
    pub(super) fn directory(&self, path: &KeyPath) -> PathBuf {
        let file = match self.origin(path) {
            Origin::File { path, .. } => path,
            Origin::Env { .. } => self.main.clone(),
        };
        file.parent().map(Path::to_owned).unwrap_or_default()
    }

    /// The merged values, and the defaults that readers have filled in.
    pub(super) fn effective(&self) -> (&Value, BTreeMap<KeyPath, Value>) {
        (&self.root, self.state.borrow().defaults.clone())
    }

    /// Records a mistake at `path`; one that was told before is not told again.
    pub(super) fn record(&self, path: &KeyPath, message: String) {
        let error = ConfigError { origin: self.origin(path), key: path.to_string(), message };
        let errors = &mut self.state.borrow_mut().errors;
        if !errors.contains(&error) {
            errors.push(error);
        }
    }

    /// Notes that the table at `path` was opened.
    pub(super) fn note_table(&self, path: &KeyPath) {
        self.state.borrow_mut().asked.entry(path.clone()).or_default();
    }

    /// Notes that the table at `path` was asked for `key`.
    pub(super) fn note_key(&self, path: &KeyPath, key: &str) {
        let mut state = self.state.borrow_mut();
        state.asked.entry(path.clone()).or_default().insert(key.to_owned());
    }

    /// What the table at `path` was asked for; `None` when nobody opened it.
    pub(super) fn asked(&self, path: &KeyPath) -> Option<BTreeSet<String>> {
        self.state.borrow().asked.get(path).cloned()
    }

    /// Whether variables set everything at `path`.
    pub(super) fn is_set_by_variables_alone(&self, path: &KeyPath) -> bool {
        matches!(self.origin(path), Origin::Env { .. })
            && self.variables.iter().any(|variable| variable.key.is_within(path))
    }

    /// Notes the value that stands in for an absent one.
    pub(super) fn note_default(&self, path: &KeyPath, value: Value) {
        self.state.borrow_mut().defaults.insert(path.clone(), value);
    }
}

/// The mistake of two variables that set the same key, or one a part of the other's.
fn clash(variable: &Variable, other: &Variable) -> Option<ConfigError> {
    let clashes = variable.key.is_within(&other.key) || other.key.is_within(&variable.key);
    clashes.then(|| ConfigError {
        origin: variable.origin(),
        key: variable.key.to_string(),
        message: format!("{} sets this too", other.name),
    })
}

/// What follows the prefix, so that a variable with the prefix in lower case is seen and refused.
fn strip_prefix_ignoring_case<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}
