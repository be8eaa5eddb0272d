//! `jarsigner`: a signed archive with a token over its signature.

use std::fs;
use std::path::Path;

use chronolease_e2e::tools::{expect, run, said};

use super::wrong::Holder;
use super::{Case, Files, Verdict, prepared, text};

const PASSWORD: &str = "changeit";

/// A virtual machine that lives for half a second need not compile its code well.
const QUICKLY: [&str; 2] = ["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"];

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
    let mut jars = with_other_tokens(files, case);
    // The token is over the signature over the manifest over the file.
    fs::write(files.path("unpacked/data.txt"), "hullo\n").expect("the folder is ours");
    jars.push(("other_data", pack(files, "other_data")));
    jars.push(("other_root", "signed.jar".to_owned()));
    let store = |what: &str| if what == "other_root" { "other-keys" } else { "keys" };
    let verify = &verify;
    // Each is a virtual machine of its own, which takes its time to start.
    let judged: Vec<_> = std::thread::scope(|scope| {
        let begin = |(what, jar): (&'static str, String)| {
            (what, scope.spawn(move || verify(store(what), &jar)))
        };
        let begun: Vec<_> = jars.into_iter().map(begin).collect();
        begun.into_iter().map(|(what, of)| (what, of.join().expect("no panic"))).collect()
    });
    let mut verdict = Verdict::accepted(case.suite);
    for (what, (accepted, said)) in judged {
        assert!(accepted || what != "sound", "a token was not put in its place: {said}");
        verdict.note(what, !accepted);
    }
    verdict
}

/// id-aa-timeStampToken (RFC 3161 A).
const TIME_STAMP_TOKEN: &[u8] = &[6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 2, 0x0e];

/// The signed archive with each other token in the place of its own.
fn with_other_tokens(files: &Files, case: &Case) -> Vec<(&'static str, String)> {
    let _ = fs::remove_dir_all(files.path("unpacked"));
    python_zip(&files.folder, &["-e", "signed.jar", "unpacked"]);
    let block = files.path("unpacked/META-INF/SIGNER.EC");
    let signature = fs::read(&block).expect("it is signed");
    let holder = Holder { der: &signature, attribute: TIME_STAMP_TOKEN };
    let packed = |(what, signature): (&'static str, Vec<u8>)| {
        fs::write(&block, signature).expect("the folder is ours");
        (what, pack(files, what))
    };
    let jars = holder.with_others(case).map(packed).into();
    fs::write(&block, &signature).expect("the folder is ours");
    jars
}

/// An archive of what is unpacked. `jar` would do it too, but more slowly.
fn pack(files: &Files, name: &str) -> String {
    let jar = format!("{name}.jar");
    let archive = format!("../{jar}");
    python_zip(&files.path("unpacked"), &["-c", &archive, "META-INF", "data.txt"]);
    jar
}

fn python_zip(folder: &Path, arguments: &[&str]) {
    let python = prepared("python/bin/python");
    expect(folder, &python, &[&["-m", "zipfile"][..], arguments].concat());
}

/// Whether it succeeded, and what it said.
fn jarsigner(files: &Files, store: &str, arguments: &[&str]) -> (bool, String) {
    let store = ["-keystore", store, "-storepass", PASSWORD];
    let output = run(&files.folder, "jarsigner", &[&QUICKLY, &store[..], arguments].concat());
    (output.status.success(), said(&output))
}
