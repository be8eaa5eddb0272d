//! The clients, and how each is asked for its verdict.

mod jar;
mod openssl;
mod portable_executable;
mod wrong;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chronolease_e2e::tools::expect;
use serde_json::{Value, json};

pub(crate) use wrong::WRONG;

/// The TSU of one suite.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) suite: &'static str,
    pub(crate) url: String,
    /// The root above the TSU.
    pub(crate) root: PathBuf,
    /// Another one.
    pub(crate) other_root: PathBuf,
    /// The TSU's certificate.
    pub(crate) certificate: PathBuf,
    /// Another one.
    pub(crate) other_certificate: PathBuf,
}

/// What a client made of a token.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) suite: String,
    pub(crate) accepts: bool,
    /// Why it does not accept it.
    pub(crate) why: String,
    /// Which of [`WRONG`] it refuses.
    pub(crate) refuses: BTreeSet<String>,
}

impl Verdict {
    fn refused(suite: &str, why: String) -> Self {
        Self { suite: suite.to_owned(), why, ..Self::default() }
    }

    fn accepted(suite: &str) -> Self {
        Self { suite: suite.to_owned(), accepts: true, ..Self::default() }
    }

    /// Whether it refuses what is wrong in this way.
    fn note(&mut self, wrong: &str, refuses: bool) {
        if refuses {
            self.refuses.insert(wrong.to_owned());
        }
    }
}

/// What is stamped, in a folder for whatever a client writes.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: &Path) -> Self {
        fs::write(folder.join("data.txt"), "hello\n").expect("the folder is ours");
        fs::write(folder.join("other.txt"), "hullo\n").expect("the folder is ours");
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A program that gets and verifies tokens.
pub(crate) struct Client {
    /// As the book calls it.
    pub(crate) name: &'static str,
    runs: Judge,
    /// How it refuses, where that is not by itself alone.
    pub(crate) with: Option<&'static str>,
}

type Judge = fn(&Files, &[Case]) -> Vec<Verdict>;

const fn client(name: &'static str, runs: Judge) -> Client {
    Client { name, runs, with: None }
}

const fn client_with(name: &'static str, runs: Judge, with: &'static str) -> Client {
    Client { name, runs, with: Some(with) }
}

/// Every one of them.
pub(crate) const CLIENTS: [Client; 9] = [
    client("openssl ts", openssl::judge),
    client_with("curl", openssl::judge_with_curl, "openssl ts does"),
    client("rfc3161-client (sigstore)", |f, c| python("rfc3161_client", f, c)),
    client_with("rfc3161ng", |f, c| python("rfc3161ng", f, c), "by the certificate it is given"),
    client("pyHanko", |f, c| python("pyhanko", f, c)),
    client("pkijs", node),
    client("BouncyCastle", java),
    client("jarsigner", jar::judge),
    client("osslsigncode", portable_executable::judge),
];

impl Client {
    /// A verdict for each case, in their order.
    pub(crate) fn judge(&self, files: &Files, cases: &[Case]) -> Vec<Verdict> {
        let verdicts = (self.runs)(files, cases);
        assert_eq!(verdicts.len(), cases.len(), "{}: {verdicts:?}", self.name);
        verdicts
    }
}

const PREPARED: &str = "`make test` prepares it with tests/scripts/clients.sh";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

/// What was made ready for the clients.
fn prepared(name: &str) -> String {
    let path = repository().join("target/clients").join(name);
    assert!(path.exists(), "{} is missing; {PREPARED}", path.display());
    text(&path).to_owned()
}

fn python(name: &str, files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let program = repository().join(format!("tests/clients/{name}_client.py"));
    told_as_json(&prepared("python/bin/python"), text(&program), files, cases)
}

fn node(files: &Files, cases: &[Case]) -> Vec<Verdict> {
    told_as_json("node", &prepared("node/pkijs_client.mjs"), files, cases)
}

fn told_as_json(interpreter: &str, program: &str, files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let case = |case: &Case| {
        json!({
            "suite": case.suite, "url": case.url, "root": case.root,
            "other_root": case.other_root, "certificate": case.certificate,
            "other_certificate": case.other_certificate,
        })
    };
    let told = json!({
        "data": files.path("data.txt"),
        "other_data": files.path("other.txt"),
        "cases": cases.iter().map(case).collect::<Vec<_>>(),
    });
    fs::write(files.path("cases.json"), told.to_string()).expect("the folder is ours");
    parse(&expect(&files.folder, interpreter, &[program, "cases.json"]))
}

/// Java reads no JSON by itself, so it gets rows.
fn java(files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let row = |case: &Case| {
        let roots = [&case.root, &case.other_root].map(|root| text(root));
        format!("{}\t{}\t{}\t{}\n", case.suite, case.url, roots[0], roots[1])
    };
    let rows: String = cases.iter().map(row).collect();
    fs::write(files.path("cases.txt"), rows).expect("the folder is ours");
    let jars = ["bcpkix", "bcprov", "bcutil"].map(|jar| format!("/usr/share/java/{jar}.jar"));
    let class_path = format!("{}:{}", prepared("java"), jars.join(":"));
    let files_of_it = ["data.txt", "other.txt", "cases.txt"];
    let arguments = [&["-cp", &class_path, "BouncyCastleClient"][..], &files_of_it].concat();
    parse(&expect(&files.folder, "java", &arguments))
}

/// A line of JSON for each verdict; whatever else a client says is passed over.
fn parse(printed: &str) -> Vec<Verdict> {
    let verdict = |line: &str| {
        let told: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let flag = |key: &str| told[key].as_bool().unwrap_or_default();
        let refused = |wrong: &&str| told["refuses"][*wrong].as_bool() == Some(true);
        let refuses = WRONG.into_iter().filter(refused).map(str::to_owned).collect();
        Verdict { suite: text("suite"), accepts: flag("accepts"), why: text("why"), refuses }
    };
    printed.lines().filter(|line| line.starts_with('{')).map(verdict).collect()
}
