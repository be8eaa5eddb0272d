//! `jarsigner`: a signed archive with a token over its signature.

use std::fs;

use chronolease_e2e::tools::{expect, run, said};

use super::{Case, Files, Verdict, text};

const PASSWORD: &str = "changeit";

pub(super) fn judge(files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let folder = &files.folder;
    for (store, root) in [("keys", &cases[0].root), ("other-keys", &cases[0].other_root)] {
        if store == "other-keys" {
            fs::copy(files.path("keys"), files.path(store)).expect("the folder is ours");
            keytool(files, &["-delete", "-alias", "tsa"], store);
        } else {
            let key = ["-genkeypair", "-alias", "signer", "-keyalg", "EC", "-dname", "CN=signer"];
            keytool(files, &key, store);
        }
        let import = ["-importcert", "-noprompt", "-alias", "tsa", "-file", text(root)];
        keytool(files, &import, store);
    }
    expect(folder, "jar", &["cf", "plain.jar", "data.txt"]);
    cases.iter().map(|case| one(files, case)).collect()
}

fn keytool(files: &Files, command: &[&str], store: &str) {
    let store = ["-keystore", store, "-storepass", PASSWORD, "-storetype", "PKCS12"];
    expect(&files.folder, "keytool", &[command, &store].concat());
}

fn one(files: &Files, case: &Case) -> Verdict {
    let folder = &files.folder;
    let sign = ["-signedjar", "signed.jar", "-tsa", &case.url, "plain.jar", "signer"];
    let signed = jarsigner(files, "keys", &sign);
    if !signed.0 {
        return Verdict::refused(case.suite, signed.1);
    }
    let verify = |store: &str, jar: &str| jarsigner(files, store, &["-verify", "-strict", jar]);
    let ours = verify("keys", "signed.jar");
    if !ours.0 {
        return Verdict::refused(case.suite, ours.1);
    }
    // The token is over the signature over the manifest over the file.
    fs::copy(files.path("signed.jar"), files.path("changed.jar")).expect("the folder is ours");
    fs::write(files.path("data.txt"), "hullo\n").expect("the folder is ours");
    expect(folder, "jar", &["uf", "changed.jar", "data.txt"]);
    fs::write(files.path("data.txt"), "hello\n").expect("the folder is ours");
    Verdict {
        suite: case.suite.to_owned(),
        accepts: true,
        why: String::new(),
        refuses_other_data: !verify("keys", "changed.jar").0,
        refuses_other_root: !verify("other-keys", "signed.jar").0,
    }
}

/// Whether it succeeded, and what it said.
fn jarsigner(files: &Files, store: &str, arguments: &[&str]) -> (bool, String) {
    let store = ["-keystore", store, "-storepass", PASSWORD];
    let output = run(&files.folder, "jarsigner", &[&store[..], arguments].concat());
    (output.status.success(), said(&output))
}
