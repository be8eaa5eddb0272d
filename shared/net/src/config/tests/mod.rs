//! Whole documents: what is read, what is refused, and what the operator is told.

mod layers;
mod readers;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{ConfigErrors, Document, Section};

const PREFIX: &str = "CHRONOLEASE_TSU_";

/// A directory of configuration files that goes away with the test.
struct Files(PathBuf);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chronolease-config-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        for (name, text) in files {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(directory)
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Document, ConfigErrors> {
        let vars = env.iter().map(|(name, text)| (format!("{PREFIX}{name}"), (*text).to_owned()));
        Document::load_with_env(&self.0.join("tsu.toml"), PREFIX, vars)
    }

    /// Loads, reads with `read`, and gives the value or the errors without the directory's name.
    fn read<T>(
        &self,
        env: &[(&str, &str)],
        read: impl FnOnce(&Section<'_>) -> Option<T>,
    ) -> Result<T, Vec<String>> {
        let outcome = self.load(env).and_then(|document| document.finish(read(&document.root())));
        outcome.map_err(|errors| self.lines(&errors))
    }

    fn lines(&self, errors: &ConfigErrors) -> Vec<String> {
        let directory = format!("{}/", self.0.display());
        errors.as_slice().iter().map(|e| e.to_string().replace(&directory, "")).collect()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn main_file(text: &str) -> Files {
    Files::new(&[("tsu.toml", text)])
}

fn refused<T>(outcome: Result<T, Vec<String>>) -> Vec<String> {
    outcome.err().expect("must be refused")
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = "\
listen = \"localhost:318\"
colour = 1

[lease]
ttl = 3
acuraccy = \"500ms\"

[[source]]
address = \"192.0.2.1:123\"
[[source]]
adress = \"192.0.2.2:123\"

[nobody.asked]
for = \"this\"
";
    let errors = refused(main_file(text).read(&[], |root| {
        let listen = root.socket_addr("listen");
        let lease = root.section("lease");
        let (ttl, accuracy) = (lease.duration("ttl"), lease.duration("accuracy"));
        let sources: Vec<_> =
            root.sections("source").iter().map(|source| source.socket_addr("address")).collect();
        assert_eq!(sources, [Some("192.0.2.1:123".parse().unwrap()), None]);
        listen.zip(ttl).zip(accuracy)
    }));
    let duration = "a duration with its unit (ns, us, ms, s, m, h, d), such as \"500ms\"";
    let address = "an IP address with a port, such as \"192.0.2.1:2020\" or \"[2001:db8::1]:2020\"";
    assert_eq!(
        errors,
        [
            format!("tsu.toml:1:1: listen: expected {address}, found \"localhost:318\""),
            "tsu.toml:2:1: colour: unknown key".to_owned(),
            format!("tsu.toml:4:1: lease.accuracy: missing; expected {duration}"),
            format!("tsu.toml:5:1: lease.ttl: expected {duration}, found the number 3"),
            "tsu.toml:6:1: lease.acuraccy: unknown key; did you mean `accuracy`?".to_owned(),
            format!("tsu.toml:10:1: source[1].address: missing; expected {address}"),
            "tsu.toml:11:1: source[1].adress: unknown key; did you mean `address`?".to_owned(),
            "tsu.toml:13:2: nobody: unknown table".to_owned(),
        ]
    );
}

#[test]
fn what_is_missing_belongs_to_its_table() {
    let text = "\n[a]\nx = 1\n[b.c]\n[[d]]\n[[d]]\n";
    let errors = refused(main_file(text).read(&[("A__Z", "1")], |root| {
        let _ = root.section("a").integer("x", 0..=1).zip(root.section("a").integer("z", 0..=1));
        let _ = root.section("b").section("c").bool("y");
        let _: Vec<_> = root.sections("d").iter().map(|d| d.bool("y")).collect();
        let _ = root.section("a").bool("y");
        root.section("none").bool("y")
    }));
    let places: Vec<_> =
        errors.iter().map(|line| line.split(": missing").next().unwrap_or(line)).collect();
    let expected = [
        "tsu.toml: none.y",
        "tsu.toml:2:1: a.y",
        "tsu.toml:4:1: b.c.y",
        "tsu.toml:5:1: d[0].y",
        "tsu.toml:6:1: d[1].y",
    ];
    assert_eq!(places, expected);
}

#[test]
fn a_value_in_place_of_a_table_is_told_once() {
    let text = "lease = 3\nsource = 4\nlist = [{}, 5]\nday = 2024-01-01\n";
    let errors = refused(main_file(text).read(&[], |root| {
        let lease = root.section("lease");
        let _ = lease.duration("ttl").zip(lease.duration("probe"));
        assert!(root.sections("source").is_empty());
        let _ = root.sections("list");
        root.string("day")
    }));
    assert_eq!(
        errors,
        [
            "tsu.toml:1:1: lease: expected a table, found the number 3",
            "tsu.toml:2:1: source: expected an array of tables, [[source]], found the number 4",
            "tsu.toml:3:13: list[1]: expected a table, found the number 5",
            "tsu.toml:4:1: day: expected a string, found a date or time of day",
        ]
    );
}

#[test]
fn a_reader_that_gives_up_in_silence_is_refused_all_the_same() {
    assert_eq!(refused(main_file("").read::<()>(&[], |_| None)).len(), 1);
}

#[test]
fn every_way_to_write_a_table_has_its_place() {
    let text = "\
lease.ttl = 1
inline = { ttl = 2, \"odd key\" = 3 }
[ outer . inner ]
ttl = 4
[outer]
ttl = 5
[[list]]
nested = [{ ttl = 6 }]
";
    let errors = refused(main_file(text).read(&[], |root| {
        let outer = root.section("outer");
        let tables = [
            root.section("lease"),
            root.section("inline"),
            outer.section("inner"),
            outer,
            root.sections("list").remove(0).sections("nested").remove(0),
        ];
        for table in tables {
            table.error("ttl", "here");
            table.error("absent", "here");
        }
        let _ = root.section("inline").bool("odd key");
        Some(())
    }));
    assert_eq!(
        errors,
        [
            "tsu.toml:1:1: lease.absent: here",
            "tsu.toml:1:7: lease.ttl: here",
            "tsu.toml:2:1: inline.absent: here",
            "tsu.toml:2:12: inline.ttl: here",
            "tsu.toml:2:21: inline.\"odd key\": expected true or false, found the number 3",
            "tsu.toml:3:1: outer.inner.absent: here",
            "tsu.toml:4:1: outer.inner.ttl: here",
            "tsu.toml:5:1: outer.absent: here",
            "tsu.toml:6:1: outer.ttl: here",
            "tsu.toml:8:11: list[0].nested[0].absent: here",
            "tsu.toml:8:13: list[0].nested[0].ttl: here",
        ]
    );
}

#[test]
fn a_table_that_was_only_looked_for_is_refused() {
    let text = "[spare]\na = 1\n[[list]]\nb = 2\n[mistyped]\nc = 3\n";
    let errors = refused(main_file(text).read(&[], |root| {
        let _ = root.string("mistyped");
        (root.has("spare") && root.has("list")).then_some(())
    }));
    assert_eq!(
        errors,
        [
            "tsu.toml:1:1: spare: this table is not read here",
            "tsu.toml:3:1: list[0]: this table is not read here",
            "tsu.toml:5:1: mistyped: expected a string, found a table",
        ]
    );
    let document = main_file(text).load(&[]).unwrap();
    assert!(document.finish(Some(())).is_err(), "nothing was read at all");
}
