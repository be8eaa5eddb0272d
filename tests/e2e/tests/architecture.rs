//! The rules of the layout that no compiler checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chronolease_core::lease::EndingCause;
use chronolease_e2e::bins::{Program, Programs};
use serde_json::Value;

/// What `shared/core` may depend on: nothing that does I/O, reads clocks or runs tasks.
const CORE_MAY_USE: [&str; 5] = ["aws-lc-rs", "base64ct", "rasn", "sha1", "thiserror"];

/// The only folder that may hold `unsafe` code and may depend on libc directly.
const SYS: &str = "shared/sys";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// The crates of the workspace, as cargo tells of them.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--no-deps", "--format-version=1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn name(value: &Value) -> String {
    value["name"].as_str().expect("a name").to_owned()
}

/// The manifest of every crate of the workspace.
fn manifests() -> BTreeMap<String, PathBuf> {
    let path = |package: &Value| PathBuf::from(package["manifest_path"].as_str().expect("a path"));
    packages().iter().map(|package| (name(package), path(package))).collect()
}

/// The direct dependencies of every crate of the workspace, development ones left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    packages()
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            let normal = all.iter().filter(|d| d["kind"].is_null()).map(name).collect();
            (name(package), normal)
        })
        .collect()
}

/// The crates that ask for this feature of a dependency.
fn dependencies_with_feature(dependency: &str, feature: &str) -> Vec<String> {
    let asks = |text: &str| {
        text.lines()
            .any(|line| line.starts_with(dependency) && line.contains(&format!("\"{feature}\"")))
    };
    let forwards = |text: &str| text.contains(&format!("{dependency}/{feature}"));
    let asking = |(package, manifest): (String, PathBuf)| {
        let text = fs::read_to_string(manifest).expect("a manifest");
        (asks(&text) || forwards(&text)).then_some(package)
    };
    manifests().into_iter().filter_map(asking).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn lines_with(needle: &str, outside: &str) -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    for path in sources(&root) {
        let short = path.strip_prefix(&root).expect("below the root").display().to_string();
        if short.starts_with(outside) || short == file!() {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let hits = text.lines().enumerate().filter(|(_, line)| line.contains(needle));
        found.extend(hits.map(|(index, line)| format!("{short}:{}: {line}", index + 1)));
    }
    found
}

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    let core = &dependencies()["chronolease-core"];
    let allowed: BTreeSet<String> = CORE_MAY_USE.map(str::to_owned).into();
    assert_eq!(*core, allowed, "shared/core must stay pure; see CORE_MAY_USE");
}

#[test]
fn system_calls_are_made_in_one_crate() {
    for (package, dependencies) in dependencies() {
        let may = ["chronolease-sys", "chronolease-clock-ban"].contains(&package.as_str());
        for low in ["libc", "nix"] {
            assert!(may || !dependencies.contains(low), "{package} depends on {low}");
        }
    }
}

#[test]
fn unsafe_code_lives_in_one_crate() {
    assert_eq!(lines_with("unsafe {", SYS), Vec::<String>::new());
    assert_eq!(lines_with("unsafe fn", SYS), Vec::<String>::new());
}

/// A box at which nothing ever happens is for tests and benches.
#[test]
fn no_program_that_ships_makes_up_its_clock_reader() {
    for line in lines_with("ClockWatch::undisturbed(", "benches") {
        let (file, _) = line.split_once(':').expect("it begins with the file");
        assert!(file.contains("test"), "{line}");
    }
}

#[test]
fn cores_know_no_runtime_and_no_clocks() {
    let root = root();
    for core in ["clock/src/core", "tsu/src/core", "monitor/src/core", "shared/core/src"] {
        for path in sources(&root.join(core)) {
            // Tests may need a folder or a peer; the code may not.
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name == "tests.rs" || name == "testing.rs" {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for forbidden in
                ["tokio::", "std::fs", "std::net", "chronolease_sys", "std::sync::Mutex"]
            {
                assert!(!code.contains(forbidden), "{} uses {forbidden}", path.display());
            }
        }
    }
}

#[test]
fn the_clock_reader_has_no_network() {
    let may_use = [
        "chronolease-core",
        "chronolease-net",
        "chronolease-sys",
        "clap",
        "thiserror",
        "tokio",
        "tokio-util",
        "tracing",
    ];
    assert_eq!(dependencies()["chronolease-clock"], may_use.map(str::to_owned).into());
    let root = root();
    for path in sources(&root.join("clock/src")) {
        let text = fs::read_to_string(&path).expect("a source file");
        for forbidden in ["std::net", "Tcp", "Udp", "SocketAddr", "tls", "observe"] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", path.display());
        }
    }
}

/// Clippy refuses it too, but an exception there is easily written.
#[test]
fn only_the_clock_reader_asks_the_kernel_about_its_clock() {
    for call in ["kernel_clock(", "StepTimer::arm(", "PpsDevice::open("] {
        let elsewhere = |line: &String| {
            !["clock/", SYS, "tests/clock-ban/"].iter().any(|folder| line.starts_with(folder))
        };
        let found = lines_with(call, "target");
        assert!(found.iter().any(|line| line.starts_with("clock/")), "{call} is gone");
        let strays: Vec<String> = found.into_iter().filter(elsewhere).collect();
        assert_eq!(strays, Vec::<String>::new());
    }
}

/// Cargo gives a crate that is built once the features that anybody asks for, so the shipped
/// programs are built by name, and they are looked into.
#[test]
fn no_shipped_program_can_leave_a_condition_of_the_cores_out() {
    let ask: Vec<String> = dependencies_with_feature("chronolease-core", "broken");
    assert_eq!(ask, ["chronolease-sim"], "only the simulator may leave conditions out");
    let mark = "chronolease: conditions of the cores can be left out in this build";
    let source = fs::read_to_string(root().join("shared/core/src/broken.rs")).expect("the switch");
    assert!(source.contains(mark), "the mark is another one now");
    for program in Program::ALL {
        let bytes = fs::read(Programs::Release.path(program)).expect("a program");
        let holds = bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
        assert!(!holds, "{} was built with the feature \"broken\"", program.binary());
    }
    let (makefile, scripts) = (root().join("Makefile"), root().join("tests/scripts"));
    let scripts = fs::read_dir(scripts).expect("scripts").map(|entry| entry.expect("one").path());
    for path in scripts.chain([makefile]) {
        let text = fs::read_to_string(&path).expect("a script");
        let careless = |line: &&str| line.contains("build") && line.contains("--workspace");
        assert_eq!(text.lines().find(careless), None, "{}", path.display());
    }
}

#[test]
fn no_test_is_switched_off() {
    assert_eq!(lines_with("#[ignore", "target"), Vec::<String>::new());
}

#[test]
fn files_stay_small_enough_to_read() {
    const LINES_MAX: usize = 450;
    let root = root();
    let long: Vec<String> = sources(&root)
        .iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(path).expect("a source file").lines().count();
            (lines > LINES_MAX).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert_eq!(long, Vec::<String>::new(), "look for the room hidden in them");
}

/// These pages name, for each line, the test that would fail without it.
#[test]
fn every_test_that_the_book_names_exists() {
    let root = root();
    let code: String = sources(&root)
        .iter()
        .map(|path| fs::read_to_string(path).expect("a source file"))
        .collect();
    for page in ["docs/safety.md", "docs/standards.md", "docs/time.md"] {
        let text = fs::read_to_string(root.join(page)).expect("a page");
        let quoted = text.lines().filter(|line| line.starts_with('|')).flat_map(|l| l.split('`'));
        let named: BTreeSet<&str> =
            quoted.filter_map(|text| Some(text.rsplit_once("::")?.1)).collect();
        assert!(named.len() > 20, "the tables of {page} are gone");
        let missing: Vec<&&str> =
            named.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
        assert!(missing.is_empty(), "named in {page}, but not there: {missing:?}");
    }
}

fn pages() -> Vec<PathBuf> {
    let docs = root().join("docs");
    let entries =
        fs::read_dir(docs).expect("the book").map(|entry| entry.expect("an entry").path());
    let pages = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.chain([root().join("README.md")]).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let file = target.split('#').next().unwrap_or_default();
            if !page.parent().expect("a folder").join(file).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_cause_that_ends_a_lease_is_documented() {
    for page in ["docs/protocol.md", "docs/operations.md"] {
        let text = fs::read_to_string(root().join(page)).expect("a page");
        for cause in EndingCause::ALL {
            let label = format!("`{}`", cause.label());
            assert!(text.contains(&label), "{page} does not explain {label}");
        }
    }
}
