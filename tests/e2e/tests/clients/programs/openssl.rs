//! `openssl ts` asks and verifies. What it verifies it was brought, by the test or by curl.

use std::fs;
use std::process::Output;

use chronolease_e2e::tools::{expect, run, said};
use chronolease_e2e::tsp;

use super::wrong::{self, tampered};
use super::{Case, Files, Verdict, text};

/// How a file with a query gets its answer, in a file.
type Fetch = fn(&Files, &Case, &str, &str);

pub(super) fn judge(files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let by_the_test: Fetch = |files, case, query, reply| {
        let query = fs::read(files.path(query)).expect("openssl wrote it");
        let request = rasn::der::decode(&query).expect("a TimeStampReq");
        fs::write(files.path(reply), wrong::granted(case, &request)).expect("it is ours");
    };
    judge_what_is_fetched(files, cases, by_the_test)
}

/// curl carries. All it can refuse by itself is an answer that is none.
pub(super) fn judge_with_curl(files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let by_curl: Fetch = |files, case, query, reply| {
        let output = post(files, case, tsp::QUERY, query, reply);
        assert!(output.status.success(), "{}", said(&output));
        let refused = post(files, case, "text/plain", query, "refused.tsr");
        assert_eq!(refused.status.code(), Some(CURL_HTTP), "{}", said(&refused));
    };
    judge_what_is_fetched(files, cases, by_curl)
}

fn post(files: &Files, case: &Case, media_type: &str, query: &str, reply: &str) -> Output {
    let (media_type, query) = (format!("Content-Type: {media_type}"), format!("@{query}"));
    let post = ["-sSf", "-H", &media_type, "--data-binary", &query, "-o", reply, &case.url];
    run(&files.folder, "curl", &post)
}

/// How curl says that the status was 400 or above.
const CURL_HTTP: i32 = 22;

fn judge_what_is_fetched(files: &Files, cases: &[Case], fetch: Fetch) -> Vec<Verdict> {
    for (data, query) in [("data.txt", "data.tsq"), ("other.txt", "other.tsq")] {
        let ask = ["ts", "-query", "-data", data, "-sha256", "-cert", "-out", query];
        expect(&files.folder, "openssl", &ask);
    }
    cases.iter().map(|case| one(files, case, fetch)).collect()
}

fn one(files: &Files, case: &Case, fetch: Fetch) -> Verdict {
    fetch(files, case, "data.tsq", "data.tsr");
    fetch(files, case, "other.tsq", "other.tsr");
    let verify = |root: &str, reply: &str, what: &[&str]| {
        let verify = ["ts", "-verify", "-in", reply, "-CAfile", root];
        run(&files.folder, "openssl", &[&verify[..], what].concat())
    };
    let (root, other_root) = (text(&case.root), text(&case.other_root));
    let ours = verify(root, "data.tsr", &["-queryfile", "data.tsq"]);
    if !ours.status.success() {
        return Verdict::refused(case.suite, said(&ours));
    }
    let refuses = |root: &str, reply: &str, data: &str| {
        !verify(root, reply, &["-data", data]).status.success()
    };
    let mut verdict = Verdict::accepted(case.suite);
    assert!(!refuses(root, "data.tsr", "data.txt"), "it took the query, so it takes the data");
    verdict.note("other_data", refuses(root, "data.tsr", "other.txt"));
    verdict.note("other_request", refuses(root, "other.tsr", "data.txt"));
    verdict.note("other_root", refuses(other_root, "data.tsr", "data.txt"));
    let reply = fs::read(files.path("data.tsr")).expect("it was fetched");
    for (what, wrong) in tampered(&reply) {
        fs::write(files.path("wrong.tsr"), wrong).expect("the folder is ours");
        verdict.note(what, refuses(root, "wrong.tsr", "data.txt"));
    }
    verdict
}
