//! `osslsigncode`: a signed program for Windows with a token over its signature.

use std::fs;

use chronolease_e2e::tools::{expect, run, said};

use super::{Case, Files, Verdict, text};

pub(super) fn judge(files: &Files, cases: &[Case]) -> Vec<Verdict> {
    let subject = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let purpose = ["-nodes", "-subj", "/CN=signer", "-addext", "extendedKeyUsage=codeSigning"];
    let out = ["-keyout", "signer.key", "-out", "signer.pem"];
    expect(&files.folder, "openssl", &[&subject[..], &purpose, &out].concat());
    fs::write(files.path("plain.exe"), smallest_program()).expect("the folder is ours");
    cases.iter().map(|case| one(files, case)).collect()
}

fn one(files: &Files, case: &Case) -> Verdict {
    // It does not overwrite.
    let _ = fs::remove_file(files.path("signed.exe"));
    let sign = ["sign", "-certs", "signer.pem", "-key", "signer.key", "-ts", &case.url];
    let files_of_it = ["-in", "plain.exe", "-out", "signed.exe"];
    let output = run(&files.folder, "osslsigncode", &[&sign[..], &files_of_it].concat());
    if !output.status.success() {
        return Verdict::refused(case.suite, said(&output));
    }
    let (root, other_root) = (text(&case.root), text(&case.other_root));
    let (accepts, why) = verify(files, root, "signed.exe");
    if !accepts {
        return Verdict::refused(case.suite, why);
    }
    let mut changed = fs::read(files.path("signed.exe")).expect("it was written");
    changed[HEADERS_LEN] ^= 1;
    fs::write(files.path("changed.exe"), changed).expect("the folder is ours");
    Verdict {
        suite: case.suite.to_owned(),
        accepts,
        why,
        refuses_other_data: !verify(files, root, "changed.exe").0,
        refuses_other_root: !verify(files, other_root, "signed.exe").0,
    }
}

/// A token that does not verify is no failure to it, so its words count too.
fn verify(files: &Files, root: &str, program: &str) -> (bool, String) {
    let arguments = ["verify", "-CAfile", "signer.pem", "-TSA-CAfile", root, "-in", program];
    let output = run(&files.folder, "osslsigncode", &arguments);
    let said = said(&output);
    let stamped = said.contains("Timestamp Server Signature verification: ok");
    (output.status.success() && stamped, said)
}

const HEADERS_LEN: usize = 512;

/// A PE file of one section that holds a `ret`: just enough to be signed.
fn smallest_program() -> Vec<u8> {
    let mut program = vec![0; 64];
    program[..2].copy_from_slice(b"MZ");
    program[60] = 64;
    program.extend(b"PE\0\0");
    let u16s = |program: &mut Vec<u8>, values: &[u16]| {
        values.iter().for_each(|value| program.extend(value.to_le_bytes()));
    };
    let u32s = |program: &mut Vec<u8>, values: &[u32]| {
        values.iter().for_each(|value| program.extend(value.to_le_bytes()));
    };
    // i386, one section; then an optional header of 224 bytes.
    u16s(&mut program, &[0x14c, 1]);
    u32s(&mut program, &[0, 0, 0]);
    u16s(&mut program, &[224, 0x102, 0x10b, 1]);
    u32s(&mut program, &[512, 0, 0, 0x1000, 0x1000, 0x2000, 0x0040_0000, 0x1000, 512]);
    u16s(&mut program, &[4, 0, 0, 0, 4, 0]);
    u32s(&mut program, &[0, 0x2000, 512, 0]);
    u16s(&mut program, &[3, 0]);
    u32s(&mut program, &[0x0010_0000, 0x1000, 0x0010_0000, 0x1000, 0, 16]);
    program.extend([0; 16 * 8]);
    program.extend(b".text\0\0\0");
    u32s(&mut program, &[512, 0x1000, 512, 512, 0, 0, 0, 0x6000_0020]);
    program.resize(HEADERS_LEN, 0);
    program.extend([0xc3; 512]);
    program
}
