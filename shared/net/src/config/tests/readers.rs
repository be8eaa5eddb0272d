//! Texts, paths, choices and numbers.

use std::path::PathBuf;

use chronolease_core::id::TsuId;

use super::{Files, main_file, refused};
use crate::config::Section;

#[test]
fn a_variable_is_a_text_where_a_text_is_wanted() {
    let env = [("A", "1234"), ("B", "1.20"), ("C", "true"), ("D", "\"5\""), ("E", "[::1]:7")];
    let texts = main_file("").read(&env, |root| {
        assert_eq!(root.integer("a", 0..=9999), Some(1234));
        assert_eq!(root.bool("c"), Some(true));
        ["a", "b", "c", "d", "e"]
            .map(|key| root.string(key))
            .into_iter()
            .collect::<Option<Vec<_>>>()
    });
    assert_eq!(texts.unwrap(), ["1234", "1.20", "true", "5", "[::1]:7"]);
    let errors = refused(main_file("a = 1234\n").read(&[], |root| root.string("a")));
    assert_eq!(errors, ["tsu.toml:1:1: a: expected a string, found the number 1234"]);
}

#[test]
fn a_relative_path_starts_at_its_own_file() {
    let files = Files::new(&[
        ("tsu.toml", "main = \"a.pem\"\nlist = [\"a.pem\", \"none.pem\", 7]\ndir = \"tsu.d\"\n"),
        ("tsu.d/10.toml", "beside = \"b.pem\"\nabsolute = \"/dev/null\"\n"),
        ("a.pem", ""),
        ("tsu.d/b.pem", ""),
    ]);
    let errors = refused(files.read(&[("ENV", "a.pem")], |root| {
        for (key, path) in [("main", "a.pem"), ("beside", "tsu.d/b.pem"), ("env", "a.pem")] {
            assert_eq!(root.existing_file(key), Some(files.0.join(path)), "{key}");
        }
        assert_eq!(root.path("absolute"), Some(PathBuf::from("/dev/null")));
        assert_eq!(root.existing_files("absent"), Some(Vec::new()));
        root.existing_file("dir").zip(root.existing_files("list"))
    }));
    assert_eq!(errors.len(), 3, "{errors:?}");
    let missing = "tsu.toml:2:18: list[1]: none.pem cannot be read: ";
    assert!(errors.iter().any(|line| line.starts_with(missing)), "{errors:?}");
    let number = "tsu.toml:2:30: list[2]: expected a path, found the number 7".to_owned();
    assert!(errors.contains(&number), "{errors:?}");
    assert!(errors.contains(&"tsu.toml:3:1: dir: tsu.d is not a file".to_owned()), "{errors:?}");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Latch {
    Always,
    Never,
}

#[test]
fn choices_names_and_ranges() {
    let choices = [("always", Latch::Always), ("never", Latch::Never)];
    let text = "a = \"never\"\nb = \"nevre\"\nc = 11\nid = \"tsu-1\"\nids = [\"x\", \"X\"]\n";
    let errors = refused(main_file(text).read(&[], |root| {
        assert_eq!(root.one_of("a", &choices), Some(Latch::Never));
        assert_eq!(root.one_of_or("absent", &choices, Latch::Always), Some(Latch::Always));
        assert_eq!(root.parsed("id", "a TSU id", TsuId::new), TsuId::new("tsu-1"));
        assert_eq!(root.integer_or("gone", 0..=10, 7), Some(7));
        assert_eq!(root.optional("gone", Section::string), Some(None));
        let (b, c) = (root.one_of("b", &choices), root.integer("c", 0..=10));
        b.zip(c).zip(root.parsed_list("ids", "a TSU id", TsuId::new))
    }));
    assert_eq!(
        errors,
        [
            "tsu.toml:2:1: b: expected \"always\" or \"never\", found \"nevre\"; \
             did you mean `never`?",
            "tsu.toml:3:1: c: expected an integer from 0 to 10, found the number 11",
            "tsu.toml:5:13: ids[1]: expected a TSU id, found \"X\"",
        ]
    );
}
