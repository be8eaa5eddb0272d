//! What the parts of a token cost by themselves: reading its request, writing it, signing it in
//! each suite, and checking it before release. In processor time, so that other work on the machine
//! counts for nothing. Its figures belong into `docs/results/token.md`.

use std::hint::black_box;

use anyhow::ensure;
use chronolease_benches::keys::{self, Keys, SUITES};
use chronolease_core::id::Serial;
use chronolease_core::time::{GenTime, GenTimeDigits, Timestamp};
use chronolease_sys::cpu_time;
use chronolease_tsu::core::rfc3161::{Request, Suite, granted, parse};
use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Criterion, Throughput};

/// What criterion measures: nanoseconds of the processor that this process used.
struct Processor;

impl Measurement for Processor {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        cpu_time().expect("Linux has this clock").as_nanos()
    }

    fn end(&self, started: u64) -> u64 {
        self.start() - started
    }

    fn add(&self, one: &u64, other: &u64) -> u64 {
        one + other
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, ns: &u64) -> f64 {
        *ns as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Microseconds
    }
}

/// How figures are printed.
struct Microseconds;

impl ValueFormatter for Microseconds {
    fn scale_values(&self, _typical_ns: f64, values: &mut [f64]) -> &'static str {
        values.iter_mut().for_each(|value| *value /= 1e3);
        "us"
    }

    fn scale_throughputs(&self, ns: f64, _of: &Throughput, values: &mut [f64]) -> &'static str {
        self.scale_values(ns, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        self.scale_values(0.0, values)
    }
}

type Bench = Criterion<Processor>;

fn main() -> anyhow::Result<()> {
    let mut bench = Criterion::default().with_measurement(Processor).configure_from_args();
    let tokens = SUITES.map(Token::of);
    let tokens: Vec<Token> = tokens.into_iter().collect::<anyhow::Result<_>>()?;
    decode(&mut bench)?;
    if let Some(first) = tokens.first() {
        first.encode(&mut bench)?;
    }
    tokens.iter().for_each(|token| token.sign(&mut bench));
    tokens.iter().try_for_each(|token| token.check(&mut bench))?;
    bench.final_summary();
    Ok(())
}

fn decode(bench: &mut Bench) -> anyhow::Result<()> {
    let (der, policy) = (keys::request_der(0x5a), keys::request_policy()?);
    ensure!(parse(&der, &policy).is_ok(), "not a request");
    bench.bench_function("decode a request", |b| b.iter(|| parse(black_box(&der), &policy)));
    Ok(())
}

/// A finished token and what it was made of.
struct Token {
    suite: Suite,
    keys: Keys,
    request: Request,
    serial: Serial,
    gen_time: GenTime,
    /// What is signed: as long as the signed attributes are.
    message: Vec<u8>,
    signature: Vec<u8>,
    der: Vec<u8>,
}

impl Token {
    fn of(suite: Suite) -> anyhow::Result<Self> {
        let keys = Keys::make(suite)?;
        let request = keys::request(0x5a)?;
        let serial = Serial::from_hash(&[0xa5; 32]);
        let reading = Timestamp::from_unix_nanos(1_700_000_000_123_456_789);
        let gen_time = GenTime::at(reading, GenTimeDigits::Three);
        let (mut message, mut signature) = (Vec::new(), Vec::new());
        let tst_info = keys.builder.tst_info(&request, &serial, gen_time);
        let der = keys.builder.build(&tst_info, request.cert_req(), |signed| {
            message = signed.to_vec();
            signature = keys.signer.sign(signed)?;
            Ok(signature.clone())
        })?;
        Ok(Self { suite, keys, request, serial, gen_time, message, signature, der })
    }

    /// The token but for its signature.
    fn encode(&self, bench: &mut Bench) -> anyhow::Result<()> {
        let Self { keys, request, serial, gen_time, signature, .. } = self;
        let tst_info = || keys.builder.tst_info(black_box(request), serial, *gen_time);
        let cms = |tst_info: &[u8]| {
            keys.builder.build(black_box(tst_info), request.cert_req(), |_| Ok(signature.clone()))
        };
        let content = tst_info();
        ensure!(cms(&content)? == self.der, "another token");
        bench.bench_function("encode a TSTInfo", |b| b.iter(tst_info));
        bench.bench_function("encode the CMS around it, digest included", |b| {
            b.iter(|| cms(&content));
        });
        bench.bench_function("encode the response", |b| b.iter(|| granted(black_box(&self.der))));
        Ok(())
    }

    fn sign(&self, bench: &mut Bench) {
        let name = format!("sign/{}", self.suite.name());
        bench.bench_function(&name, |b| b.iter(|| self.keys.signer.sign(black_box(&self.message))));
    }

    /// The check before release, with the verification of the signature and without.
    fn check(&self, bench: &mut Bench) -> anyhow::Result<()> {
        let Self { suite, keys, request, serial, gen_time, der, .. } = self;
        let verifies = |message: &[u8], signature: &[u8]| keys.signer.verify(message, signature);
        let whole = || keys.builder.verify(black_box(der), request, serial, *gen_time, verifies);
        let fields =
            || keys.builder.verify(black_box(der), request, serial, *gen_time, |_, _| true);
        whole()?;
        let name = suite.name();
        bench.bench_function(&format!("check, every/{name}"), |b| b.iter(whole));
        bench.bench_function(&format!("check, fields alone/{name}"), |b| b.iter(fields));
        Ok(())
    }
}
