//! The readers of single values and of arrays of them.

use core::net::SocketAddr;
use core::ops::RangeInclusive;
use std::path::PathBuf;

use chronolease_core::time::Bound;
use figment::value::Value;

use super::section::Section;
use super::value::{self, quote, suggestion};

impl Section<'_> {
    /// The string at `key`.
    #[must_use]
    pub fn string(&self, key: &str) -> Option<String> {
        self.parsed(key, "a string", |text| Some(text.to_owned()))
    }

    /// The string at `key`, or `default`.
    #[must_use]
    pub fn string_or(&self, key: &str, default: &str) -> Option<String> {
        self.or(key, default.to_owned(), default.into(), Self::string)
    }

    /// The boolean at `key`.
    #[must_use]
    pub fn bool(&self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", Value::to_bool)
    }

    /// The boolean at `key`, or `default`.
    #[must_use]
    pub fn bool_or(&self, key: &str, default: bool) -> Option<bool> {
        self.or(key, default, default.into(), Self::bool)
    }

    /// The integer at `key`, which must be in `range`.
    #[must_use]
    pub fn integer(&self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let what = format!("an integer from {} to {}", range.start(), range.end());
        self.typed(key, &what, |value| value::integer(value).filter(|n| range.contains(n)))
    }

    /// The integer at `key`, which must be in `range`, or `default`.
    #[must_use]
    pub fn integer_or(&self, key: &str, range: RangeInclusive<i64>, default: i64) -> Option<i64> {
        self.or(key, default, default.into(), |section, key| section.integer(key, range))
    }

    /// The duration at `key`: a string of digits and a unit (ns, us, ms, s, m, h, d).
    #[must_use]
    pub fn duration(&self, key: &str) -> Option<Bound> {
        self.parsed(key, value::DURATION, value::duration)
    }

    /// The duration at `key`, or `default`.
    #[must_use]
    pub fn duration_or(&self, key: &str, default: Bound) -> Option<Bound> {
        self.or(key, default, default.to_string().into(), Self::duration)
    }

    /// The address and port at `key`, both as numbers; names are not resolved.
    #[must_use]
    pub fn socket_addr(&self, key: &str) -> Option<SocketAddr> {
        let what =
            "an IP address with a port, such as \"192.0.2.1:2020\" or \"[2001:db8::1]:2020\"";
        self.parsed(key, what, |text| text.parse().ok())
    }

    /// The path at `key`. A relative one starts at the directory of the file it stands in, or of
    /// the main file when a variable sets it.
    #[must_use]
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let path =
            self.parsed(key, "a path", |text| (!text.is_empty()).then(|| text.to_owned()))?;
        Some(self.document.directory(&self.path.key(key)).join(path))
    }

    /// The [path](Self::path) at `key`, of a file that exists and can be read now.
    #[must_use]
    pub fn existing_file(&self, key: &str) -> Option<PathBuf> {
        let path = self.path(key)?;
        match value::readable(&path) {
            Ok(()) => Some(path),
            Err(message) => {
                self.error(key, message);
                None
            }
        }
    }

    /// The paths at `key`, each of a file that exists and can be read now; none when absent.
    #[must_use]
    pub fn existing_files(&self, key: &str) -> Option<Vec<PathBuf>> {
        if !self.has(key) {
            return Some(Vec::new());
        }
        let directory = self.document.directory(&self.path.key(key));
        self.list(key, "a path", |text| {
            let path = directory.join(text);
            Some(value::readable(&path).map(|()| path))
        })
    }

    /// The strings of the array at `key`.
    #[must_use]
    pub fn strings(&self, key: &str) -> Option<Vec<String>> {
        self.parsed_list(key, "a string", |text| Some(text.to_owned()))
    }

    /// The strings of the array at `key`, or `default`.
    #[must_use]
    pub fn strings_or(&self, key: &str, default: &[&str]) -> Option<Vec<String>> {
        let strings = default.iter().map(|&text| text.to_owned()).collect();
        self.or(key, strings, default.into(), Self::strings)
    }

    /// What the string at `key` stands for among `choices`.
    #[must_use]
    pub fn one_of<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let what = names().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" or ");
        let text = self.parsed(key, &what, |text| Some(text.to_owned()))?;
        let chosen = choices.iter().find(|(name, _)| *name == text);
        if chosen.is_none() {
            let hint = suggestion(&text, names());
            self.error(key, format!("expected {what}, found {}{hint}", quote(&text)));
        }
        chosen.map(|(_, meaning)| *meaning)
    }

    /// What the string at `key` stands for among `choices`, or `default`.
    #[must_use]
    pub fn one_of_or<T: Copy + PartialEq>(
        &self,
        key: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> Option<T> {
        if self.has(key) {
            return self.one_of(key, choices);
        }
        if let Some((name, _)) = choices.iter().find(|(_, meaning)| *meaning == default) {
            self.document.note_default(&self.path.key(key), (*name).into());
        }
        Some(default)
    }

    /// What `parse` makes of the string at `key`; `what` names the kind of thing with its article,
    /// for the message when that is `None`.
    #[must_use]
    pub fn parsed<T>(
        &self,
        key: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let path = self.present(key, what)?;
        let parsed = self.document.text(&path).and_then(parse);
        if parsed.is_none() {
            self.expected(&path, what);
        }
        parsed
    }

    /// What `parse` makes of each string of the array at `key`; `what` names one element.
    #[must_use]
    pub fn parsed_list<T>(
        &self,
        key: &str,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.list(key, what, |text| parse(text).map(Ok))
    }
}
