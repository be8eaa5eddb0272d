//! What stands in the configuration and was never asked for.

use std::collections::BTreeSet;

use figment::value::Value;

use super::document::Document;
use super::error::{ConfigError, Origin};
use super::layer::Variable;
use super::path::{KeyPath, Step};
use super::value::suggestion;

impl Document {
    /// Keys within `value` that no reader asked for; a table that nobody opened counts once.
    pub(super) fn unknown_keys(
        &self,
        path: &KeyPath,
        value: &Value,
        errors: &mut Vec<ConfigError>,
    ) {
        match value {
            Value::Dict(_, dict) => {
                let Some(asked) = self.asked(path) else {
                    return self.unopened_table(path, errors);
                };
                for (key, value) in dict {
                    let at = path.key(key);
                    if asked.contains(key) {
                        self.unknown_keys(&at, value, errors);
                    } else if !self.is_set_by_variables_alone(&at) {
                        let origin = self.origin(&at);
                        errors.push(unknown(origin, &at, value, key, &asked));
                    }
                }
            }
            Value::Array(_, values) => {
                for (index, value) in values.iter().enumerate() {
                    self.unknown_keys(&path.index(index), value, errors);
                }
            }
            _ => {}
        }
    }

    /// A table that was looked for but never opened, unless it was refused for another reason.
    fn unopened_table(&self, path: &KeyPath, errors: &mut Vec<ConfigError>) {
        let refused = |path: KeyPath| errors.iter().any(|error| error.key == path.to_string());
        if !std::iter::successors(Some(path.clone()), KeyPath::parent).any(refused) {
            let message = "this table is not read here".to_owned();
            errors.push(ConfigError { origin: self.origin(path), key: path.to_string(), message });
        }
    }

    /// Variables that lead to a key that no reader asked for, each on its own.
    pub(super) fn unknown_variables(&self, variables: &[Variable], errors: &mut Vec<ConfigError>) {
        for variable in variables {
            let mut table = KeyPath::default();
            for step in variable.key.steps() {
                let (Step::Key(key), Some(asked)) = (step, self.asked(&table)) else { break };
                if !asked.contains(key) {
                    let Some(value) = self.get(&variable.key) else { break };
                    errors.push(unknown(variable.origin(), &variable.key, value, key, &asked));
                    break;
                }
                table = table.key(key);
            }
        }
    }
}

fn unknown(
    origin: Origin,
    path: &KeyPath,
    value: &Value,
    key: &str,
    known: &BTreeSet<String>,
) -> ConfigError {
    let kind = if value.as_dict().is_some() { "table" } else { "key" };
    let hint = suggestion(key, known.iter().map(String::as_str));
    ConfigError { origin, key: path.to_string(), message: format!("unknown {kind}{hint}") }
}
