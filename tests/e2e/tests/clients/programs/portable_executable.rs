//! `osslsigncode`: a signed program for Windows with a token over its signature.

use std::fs;

use chronolease_e2e::tools::{expect, run, said};

use super::wrong::Holder;
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
    let signed = fs::read(files.path("signed.exe")).expect("it was written");
    let mut changed = signed.clone();
    changed[HEADERS_LEN] ^= 1;
    set_checksum(&mut changed);
    let mut verdict = Verdict::accepted(case.suite);
    let takes = |program: &[u8]| {
        fs::write(files.path("changed.exe"), program).expect("the folder is ours");
        verify(files, root, "changed.exe")
    };
    verdict.note("other_data", !takes(&changed).0);
    verdict.note("other_root", !verify(files, other_root, "signed.exe").0);
    let holder = Holder { der: signature(&signed), attribute: TIME_STAMP_TOKEN };
    for (what, signature) in holder.with_others(case) {
        let (accepted, said) = takes(&with_signature(&signed, &signature));
        assert!(accepted || what != "sound", "a token was not put in its place: {said}");
        verdict.note(what, !accepted);
    }
    verdict
}

/// The attribute of Microsoft, 1.3.6.1.4.1.311.3.3.1.
const TIME_STAMP_TOKEN: &[u8] = &[6, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 3, 3, 1];

/// Where a program says how long its signatures are and where they begin: they are its end.
const SIGNATURES: usize = 216;
const CHECKSUM: usize = 152;
/// Before each signature: its length with this, and its kind.
const SIGNATURE_HEADER_LEN: usize = 8;

fn u32_at(program: &[u8], at: usize) -> usize {
    let octets = program[at..at + 4].try_into().expect("four octets");
    usize::try_from(u32::from_le_bytes(octets)).expect("programs are small")
}

fn put_u32(program: &mut [u8], at: usize, value: usize) {
    let value = u32::try_from(value).expect("programs are small");
    program[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// The one signature of a program, in DER, with what fills it up.
fn signature(program: &[u8]) -> &[u8] {
    &program[u32_at(program, SIGNATURES) + SIGNATURE_HEADER_LEN..]
}

/// The program with another signature.
fn with_signature(program: &[u8], signature: &[u8]) -> Vec<u8> {
    let begin = u32_at(program, SIGNATURES);
    let mut changed = program[..begin + SIGNATURE_HEADER_LEN].to_vec();
    changed.extend(signature);
    changed.resize(changed.len().next_multiple_of(8), 0);
    let length = changed.len() - begin;
    put_u32(&mut changed, begin, length);
    put_u32(&mut changed, SIGNATURES + 4, length);
    set_checksum(&mut changed);
    changed
}

/// The sum over all 16-bit words but itself, with its carries, and the length.
fn set_checksum(program: &mut [u8]) {
    put_u32(program, CHECKSUM, 0);
    let words = program.chunks(2).map(|word| usize::from(word[0]) | usize::from(word[1]) << 8);
    let mut sum: usize = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    put_u32(program, CHECKSUM, sum + program.len());
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
