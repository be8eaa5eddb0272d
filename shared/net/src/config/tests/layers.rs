//! Files, variables, and which of them an error or a value is attributed to.

use std::path::Path;

use chronolease_core::time::Bound;

use super::{Files, PREFIX, main_file, refused};
use crate::config::Document;
use crate::config::layer::Variable;

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let files = Files::new(&[
        ("tsu.d/10-a.toml", "ttl = \"3s\"\nprobe = = 1\n"),
        ("tsu.d/20-b.toml", "ttl = 1\nttl = 2\n"),
    ]);
    let errors = files.load(&[("", "1"), ("A____B", "1")]).expect_err("no main file");
    let lines = files.lines(&errors);
    assert!(lines[0].starts_with("tsu.toml: cannot be read: "), "{lines:?}");
    assert!(lines[1].starts_with("tsu.d/10-a.toml:2:9: not valid TOML: "), "{lines:?}");
    assert!(
        lines[2].starts_with("tsu.d/20-b.toml:2:1: not valid TOML: duplicate key"),
        "{lines:?}"
    );
    assert!(lines[3].starts_with("CHRONOLEASE_TSU_: names no key"), "{lines:?}");
    assert!(lines[4].starts_with("CHRONOLEASE_TSU_A____B: names no key"), "{lines:?}");
    assert!(errors.to_string().ends_with("\n5 errors in the configuration"), "{errors}");
}

fn layered() -> Files {
    Files::new(&[
        ("tsu.toml", "[lease]\nttl = \"1s\"\nprobe = \"1s\"\nguard = \"1s\"\nrho = \"1s\"\n"),
        ("tsu.d/20-b.toml", "[lease]\nguard = \"20s\"\n"),
        ("tsu.d/10-a.toml", "# layers go by name\n[lease]\nprobe = \"10s\"\nguard = \"10s\"\n"),
        ("tsu.d/.hidden.toml", "[lease]\nttl = \"99s\"\n"),
        ("tsu.d/notes.txt", "not a layer"),
    ])
}

#[test]
fn later_layers_win_key_by_key() {
    let seconds = layered()
        .read(&[("LEASE__RHO", "30s")], |root| {
            let lease = root.section("lease");
            ["ttl", "probe", "guard", "rho"]
                .map(|key| lease.duration(key).map(|d| d.as_nanos() / 1_000_000_000))
                .into_iter()
                .collect::<Option<Vec<_>>>()
        })
        .unwrap();
    assert_eq!(seconds, [1, 10, 20, 30]);
}

#[test]
fn errors_name_the_layer_that_the_value_came_from() {
    let errors = refused(layered().read(&[("LEASE__RHO", "30"), ("LEASE__TTLL", "1s")], |root| {
        let lease = root.section("lease");
        for key in ["ttl", "probe", "guard", "rho"] {
            lease.error(key, "too long");
        }
        lease.duration("rho")
    }));
    assert_eq!(
        errors,
        [
            "tsu.toml:2:1: lease.ttl: too long",
            "tsu.d/10-a.toml:3:1: lease.probe: too long",
            "tsu.d/20-b.toml:2:1: lease.guard: too long",
            "CHRONOLEASE_TSU_LEASE__RHO: lease.rho: too long",
            "CHRONOLEASE_TSU_LEASE__RHO: lease.rho: expected a duration with its unit \
             (ns, us, ms, s, m, h, d), such as \"500ms\", found the number 30",
            "CHRONOLEASE_TSU_LEASE__TTLL: lease.ttll: unknown key; did you mean `ttl`?",
        ]
    );
}

#[test]
fn every_variable_with_the_prefix_must_set_a_known_key() {
    let files = main_file("name = \"a\"\nlist = [1]\n");
    let unknown = [("LEESE__A", "1"), ("LEESE__B", "2"), ("NMAE", "b"), ("T", "{x = 1}")];
    let errors = refused(files.read(&unknown, |root| {
        let _ = root.section("t");
        root.has("list").then(|| root.string("name"))
    }));
    assert_eq!(
        errors,
        [
            "CHRONOLEASE_TSU_LEESE__A: leese.a: unknown key",
            "CHRONOLEASE_TSU_LEESE__B: leese.b: unknown key",
            "CHRONOLEASE_TSU_NMAE: nmae: unknown key; did you mean `name`?",
            "CHRONOLEASE_TSU_T: t.x: unknown key",
        ]
    );
    let errors = refused(
        files.read(&[("LIST__0", "2")], |root| root.string("name").zip(root.strings("list"))),
    );
    assert_eq!(
        errors,
        ["CHRONOLEASE_TSU_LIST__0: list: expected an array, each element a string, found a table"]
    );
}

#[test]
fn variables_that_cannot_both_count_are_refused() {
    let files = main_file("");
    let errors = files.load(&[("A", "1"), ("A__B", "2"), ("c", "3")]).expect_err("must clash");
    assert_eq!(
        files.lines(&errors),
        [
            "CHRONOLEASE_TSU_A__B: a.b: CHRONOLEASE_TSU_A sets this too",
            "CHRONOLEASE_TSU_c: variables of the configuration are written in upper case",
        ]
    );
    let error = Variable::parse("CHRONOLEASE_TSU_A", "A", None).err().expect("not Unicode");
    assert_eq!(error.to_string(), "CHRONOLEASE_TSU_A: the value is not valid UTF-8");
    let lower = [("chronolease_tsu_a".to_owned(), "1".to_owned())];
    assert!(Document::load_with_env(&files.0.join("tsu.toml"), PREFIX, lower).is_err());
    let foreign = [("CHRONOLEASE_MONITOR_A".to_owned(), "1".to_owned())];
    assert!(Document::load_with_env(&files.0.join("tsu.toml"), PREFIX, foreign).is_ok());
}

#[test]
fn what_is_shown_is_toml_with_origins() {
    let files = Files::new(&[
        ("tsu.toml", "key = \"a.pem\"\n[lease]\nttl = \"3s\"\n[[source]]\n[[source]]\nid = 1\n"),
        (
            "tsu.d/10.toml",
            "[lease]\nguard = \"a\\nb\"\n[\"odd key\".inner]\nlist = [\"x\", \"y\"]\n",
        ),
    ]);
    let document = files.load(&[("LEASE__PROBE", "1s")]).unwrap();
    let root = document.root();
    for source in root.sections("source") {
        let _ = source.integer_or("weight", 0..=9, 2);
    }
    let _ = root.section("lease").duration_or("hold", Bound::from_millis(1_500));
    let _ = root.section("alarm").bool_or("latch", true);
    let shown = document.show().replace(&format!("{}/", files.0.display()), "");
    for line in [
        "key = \"a.pem\" # tsu.toml:1",
        "ttl = \"3s\" # tsu.toml:3",
        "hold = \"1.5s\" # default",
        "probe = \"1s\" # CHRONOLEASE_TSU_LEASE__PROBE",
        "[\"odd key\".inner]",
        "list = [\"x\", \"y\"] # tsu.d/10.toml:4",
        "id = 1 # tsu.toml:6",
        "latch = true # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    let again = main_file(&shown);
    let document = again.load(&[]).unwrap();
    let root = document.root();
    assert_eq!(root.section("lease").string("guard").as_deref(), Some("a\nb"));
    let weights: Vec<_> =
        root.sections("source").iter().map(|source| source.integer("weight", 0..=9)).collect();
    assert_eq!(weights, [Some(2), Some(2)]);
    assert_eq!(root.section("odd key").section("inner").strings("list").unwrap(), ["x", "y"]);
}

#[test]
fn a_missing_file_is_named() {
    let errors = Document::load(Path::new("/nonexistent/tsu.toml"), PREFIX);
    let text = errors.expect_err("no such file").to_string();
    assert!(text.starts_with("/nonexistent/tsu.toml: cannot be read: "), "{text}");
    assert!(text.ends_with("\n1 error in the configuration"), "{text}");
}
