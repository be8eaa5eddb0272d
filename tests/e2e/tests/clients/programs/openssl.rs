//! `openssl ts` asks and verifies; curl carries.

use chronolease_e2e::tools::{expect, run, said};
use chronolease_e2e::tsp;

use super::{Case, Files, Verdict, text};

pub(super) fn judge(files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let query = ["ts", "-query", "-data", "data.txt", "-sha256", "-cert", "-out", "data.tsq"];
    expect(&files.folder, "openssl", &query);
    cases.iter().map(|case| one(files, case)).collect()
}

fn one(files: &Files, case: &Case) -> Verdict {
    let media_type = format!("Content-Type: {}", tsp::QUERY);
    let post = ["-sSf", "-H", &media_type, "--data-binary", "@data.tsq", "-o", "data.tsr"];
    expect(&files.folder, "curl", &[&post[..], &[&case.url]].concat());
    let verify = |root: &str, what: &[&str]| {
        let verify = ["ts", "-verify", "-in", "data.tsr", "-CAfile", root];
        run(&files.folder, "openssl", &[&verify[..], what].concat())
    };
    let (root, other_root) = (text(&case.root), text(&case.other_root));
    let ours = verify(root, &["-queryfile", "data.tsq"]);
    if !ours.status.success() {
        return Verdict::refused(case.suite, said(&ours));
    }
    Verdict {
        suite: case.suite.to_owned(),
        accepts: true,
        why: String::new(),
        refuses_other_data: !verify(root, &["-data", "other.txt"]).status.success(),
        refuses_other_root: !verify(other_root, &["-queryfile", "data.tsq"]).status.success(),
    }
}
