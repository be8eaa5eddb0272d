//! Tables of the configuration; the readers of their values are in `read`.

use core::fmt::Display;
use std::net::SocketAddr;

use figment::value::Value;

use super::document::Document;
use super::path::KeyPath;
use super::value::describe;

/// A table of the configuration. An absent table behaves as an empty one.
///
/// Every reader yields `None` after it has recorded what is wrong: the value is missing or is not
/// of its type. So a caller reads all keys first, and puts the results together afterwards. The
/// `_or` forms take a default for an absent value; what is present and wrong stays an error.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    pub(super) document: &'a Document,
    pub(super) path: KeyPath,
}

impl<'a> Section<'a> {
    pub(super) fn open(document: &'a Document, path: KeyPath) -> Self {
        document.note_table(&path);
        Self { document, path }
    }

    /// The table at `key`; a value there that is no table is a mistake.
    #[must_use]
    pub fn section(&self, key: &str) -> Section<'a> {
        if self.has(key) {
            self.expect_table(&self.path.key(key));
        }
        Self::open(self.document, self.path.key(key))
    }

    /// The tables of the array at `key` (`[[key]]`); none when it is absent.
    #[must_use]
    pub fn sections(&self, key: &str) -> Vec<Section<'a>> {
        if !self.has(key) {
            return Vec::new();
        }
        let path = self.path.key(key);
        let Some(values) = self.document.get(&path).and_then(Value::as_array) else {
            self.expected(&path, &format!("an array of tables, [[{path}]]"));
            return Vec::new();
        };
        let open = |index| {
            let path = path.index(index);
            self.expect_table(&path);
            Self::open(self.document, path)
        };
        (0..values.len()).map(open).collect()
    }

    /// Whether there is anything at `key`.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.document.note_key(&self.path, key);
        self.document.get(&self.path.key(key)).is_some()
    }

    /// Records a mistake at `key`: one of meaning, that the value alone does not show.
    pub fn error(&self, key: &str, message: impl Display) {
        self.document.note_key(&self.path, key);
        self.document.record(&self.path.key(key), message.to_string());
    }

    /// Records a mistake for each of these tables whose `listen` is the address of one before it: two
    /// listeners cannot share one. Port 0 is another one each time.
    pub fn listen_apart(&self, listeners: &[(&str, Option<SocketAddr>)]) {
        for (at, (table, address)) in listeners.iter().enumerate() {
            let Some(address) = address.filter(|address| address.port() != 0) else { continue };
            let mut before = listeners[..at].iter();
            if let Some((other, _)) = before.find(|(_, other)| *other == Some(address)) {
                self.section(table).error("listen", format!("the same address as {other}.listen"));
            }
        }
    }

    /// `Some(None)` when `key` is absent, otherwise what `read` makes of it:
    /// `section.optional("bind", Section::socket_addr)`.
    pub fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Self, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.has(key) { read(self, key).map(Some) } else { Some(None) }
    }

    /// The array at `key`. For an element, `None` is one that is not `what`, and an error one that
    /// is wrong for the reason it gives.
    pub(super) fn list<T>(
        &self,
        key: &str,
        what: &str,
        read: impl Fn(&str) -> Option<Result<T, String>>,
    ) -> Option<Vec<T>> {
        let path = self.present(key, "an array")?;
        let Some(values) = self.document.get(&path)?.as_array() else {
            self.expected(&path, &format!("an array, each element {what}"));
            return None;
        };
        let element = |(index, value): (usize, &Value)| {
            let path = path.index(index);
            match value.as_str().and_then(&read) {
                Some(Ok(element)) => Some(element),
                Some(Err(message)) => {
                    self.document.record(&path, message);
                    None
                }
                None => {
                    self.expected(&path, what);
                    None
                }
            }
        };
        // All elements are read before the first failure counts, so that each mistake is told.
        values.iter().enumerate().map(element).collect::<Vec<_>>().into_iter().collect()
    }

    /// The value at `key` as `read` understands it.
    pub(super) fn typed<T>(
        &self,
        key: &str,
        what: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let path = self.present(key, what)?;
        let typed = self.document.get(&path).and_then(read);
        if typed.is_none() {
            self.expected(&path, what);
        }
        typed
    }

    /// What `read` makes of `key`, or `default` when it is absent; `shown` is how TOML writes that.
    pub(super) fn or<T>(
        &self,
        key: &str,
        default: T,
        shown: Value,
        read: impl FnOnce(&Self, &str) -> Option<T>,
    ) -> Option<T> {
        if self.has(key) {
            return read(self, key);
        }
        self.document.note_default(&self.path.key(key), shown);
        Some(default)
    }

    /// The path of `key`, when there is a value. A section that is no table lacks all its keys,
    /// but that was told when it was opened.
    pub(super) fn present(&self, key: &str, what: &str) -> Option<KeyPath> {
        let path = self.path.key(key);
        if self.has(key) {
            return Some(path);
        }
        if self.document.get(&self.path).is_none_or(|table| table.as_dict().is_some()) {
            self.document.record(&path, format!("missing; expected {what}"));
        }
        None
    }

    fn expect_table(&self, path: &KeyPath) {
        if self.document.get(path).is_some_and(|value| value.as_dict().is_none()) {
            self.expected(path, "a table");
        }
    }

    /// Records that the value at `path` is not `what`.
    pub(super) fn expected(&self, path: &KeyPath, what: &str) {
        let found = self.document.get(path).map_or_else(|| "nothing".to_owned(), describe);
        self.document.record(path, format!("expected {what}, found {found}"));
    }
}
