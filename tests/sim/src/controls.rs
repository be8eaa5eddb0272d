//! The kept list of broken cores. Each leaves out a condition, or makes a mistake in a shell, and is
//! found out at its seed; the sound cores are not, at the same seed.
//!
//! Where a second defence hides what a missing condition lets through, both are left out. Each of
//! them is needed at that seed: see [`Control::idle`].

use chronolease_core::broken::Condition::{self, *};

use crate::world::{Options, Outcome, Scene, Slip, simulate};

/// A broken core.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// What it leaves out, in words.
    pub name: &'static str,
    /// What the cores do not ask for: first what it is about, then what would hide it.
    pub left_out: &'static [Condition],
    /// What a shell does wrong.
    pub slips: &'static [Slip],
    /// The kind of world.
    pub scene: Scene,
    /// Whether its world has clock readers.
    pub watched: bool,
    /// How many TSUs it has.
    pub tsus: usize,
    /// What finds it out.
    pub found_by: &'static str,
    /// The seed at which it is found out.
    pub seed: u64,
}

const fn core(
    name: &'static str,
    left_out: &'static [Condition],
    scene: Scene,
    found_by: &'static str,
    seed: u64,
) -> Control {
    Control { name, left_out, slips: &[], scene, watched: false, tsus: 1, found_by, seed }
}

const fn shell(
    name: &'static str,
    slips: &'static [Slip],
    scene: Scene,
    found_by: &'static str,
    seed: u64,
) -> Control {
    Control { name, left_out: &[], slips, scene, watched: false, tsus: 1, found_by, seed }
}

/// In a world with clock readers.
const fn reader(
    name: &'static str,
    left_out: &'static [Condition],
    scene: Scene,
    seed: u64,
) -> Control {
    Control { name, left_out, slips: &[], scene, watched: true, tsus: 1, found_by: "watch", seed }
}

use Scene::{
    Carried, Copied, HeldUp, Leap, Leased, LeasedCopied, LeasedLeap, Unprotected,
    UnprotectedLeased, Witnessed,
};

/// A mistake of the monitor's shell where it has two TSUs.
const fn wards(
    name: &'static str,
    slips: &'static [Slip],
    found_by: &'static str,
    seed: u64,
) -> Control {
    let scene = Witnessed;
    Control { name, left_out: &[], slips, scene, watched: false, tsus: 2, found_by, seed }
}

/// All of them.
pub const ALL: &[Control] = &[
    core("judge: same boot", &[SameBoot], Carried, "P1", 0),
    core(
        "judge: same run",
        &[SameIncarnation, GrantIsMine, GrantChannel, GrantSample],
        UnprotectedLeased,
        "audit",
        57,
    ),
    core("judge: bracket", &[Bracket], Leased, "audit", 9),
    core("judge: TTL", &[Ttl], Leased, "P4", 8),
    core("judge: guard", &[Guard], Leased, "P1", 55),
    core("judge: suspension", &[Suspension], Leased, "P1", 3),
    core("judge: blackout", &[LeaseBlackout], LeasedLeap, "audit", 5),
    core("judge: high-water mark", &[HighWater], Witnessed, "audit", 52),
    core("holder: a revocation withdraws", &[Revocation], Leased, "P4", 0),
    core("issuer: a revocation after the word", &[ReleasePermit], Witnessed, "P4", 40),
    core("issuer: about this batch", &[AboutThisBatch, AboutThisConnection], Unprotected, "P5", 32),
    core(
        "issuer: about this connection",
        &[AboutThisConnection, AboutThisBatch],
        Unprotected,
        "P5",
        32,
    ),
    core("issuer: age of the confirmation", &[ConfirmationAge], Witnessed, "confirmation age", 48),
    core("issuer: confirmation durable before release", &[ConfirmationDurable], Witnessed, "P5", 0),
    core("fusion: consensus", &[Consensus], Witnessed, "P5", 55),
    core("assessment: verdict", &[Verdict], Leased, "P1", 14),
    core("witness: live lease, not revoked", &[LiveLease], Witnessed, "P4", 3),
    core("witness: not latched", &[Unlatched, LiveLease], Witnessed, "P4", 3),
    core("witness: e at most e_max", &[HalfWidth], Witnessed, "e_max", 19),
    core("witness: lower edge", &[LowerEdge], Witnessed, "P1", 0),
    core("witness: upper edge", &[UpperEdge], Witnessed, "P1", 84),
    core(
        "witness: blackout of the reading",
        &[ReadingBlackout, LeaseBlackout, Crossing, GenTimeBlackout],
        Leap,
        "blackout",
        18,
    ),
    core(
        "witness: blackout of a genTime",
        &[GenTimeBlackout, LeaseBlackout, Crossing, ReadingBlackout],
        Leap,
        "blackout",
        18,
    ),
    core("witness: next sequence", &[NextBatch], Unprotected, "P3", 5),
    core("witness: log continues", &[LogContinues, GrantVouched], Copied, "P5", 23),
    core("authority: crossing", &[Crossing], LeasedLeap, "blackout", 12),
    core("authority: wait between runs", &[IncarnationWait], Leased, "P3", 66),
    core("authority: wait after a restart", &[RestartWait, Hold], LeasedCopied, "P3", 26),
    core("authority: challenge", &[Challenge, LogContinues], Copied, "P3", 57),
    core("authority: hold", &[Hold], Witnessed, "hold", 1),
    core("authority: a latched ward rests", &[LatchRests], Witnessed, "latch", 10),
    reader("judge: nobody set the clock", &[Untouched], Leased, 0),
    reader("judge: no disruption", &[Undisrupted], Leased, 8),
    reader("judge: the clock was watched", &[Watched], Leased, 7),
    reader("authority: no lease on a lost clock reader", &[WardWatched], Witnessed, 11),
    reader("authority: news of the TSU's clock latch", &[WardUntouched], Witnessed, 7),
    reader("continuity: box B's clocks were left alone", &[MonitorUntouched], Witnessed, 3),
    reader("continuity: box B's clocks were watched", &[MonitorWatched], Witnessed, 5),
    shell(
        "shell: the monitor's clock read before the event",
        &[Slip::MonitorStaleNow],
        Witnessed,
        "P5",
        0,
    ),
    shell("shell: the TSU's clock read before the event", &[Slip::TsuStaleNow], Leased, "P2", 39),
    shell(
        "shell: confirmation sent before it is on record",
        &[Slip::AnswersEarly],
        Witnessed,
        "P5",
        0,
    ),
    Control {
        name: "shell: the clock reader's mark taken after the clocks were read",
        left_out: &[],
        slips: &[Slip::LateMark],
        scene: HeldUp,
        watched: true,
        tsus: 1,
        found_by: "watch",
        seed: 4,
    },
    Control {
        name: "shell: the monitor's first look at its clock reader with its first event",
        left_out: &[],
        slips: &[Slip::LateLook],
        scene: Witnessed,
        watched: true,
        tsus: 1,
        found_by: "watch",
        seed: 8_981,
    },
    wards("wards: the records of both in one file", &[Slip::OneRecord], "P4", 5),
    wards("wards: what one's log did is told to both", &[Slip::ToldToAll], "wards", 9),
    shell(
        "assumption: box A does not freeze under a lease alone",
        &[],
        Scene::LeasedFrozen,
        "P1",
        4,
    ),
    shell("assumption: box B does not freeze", &[], Scene::MonitorFrozen, "P5", 2),
];

impl Control {
    /// The world of a seed, broken.
    #[must_use]
    pub fn options(&self, seed: u64) -> Options {
        let (left_out, slips) = (self.left_out.to_vec(), self.slips.to_vec());
        let (scene, watched, tsus) = (self.scene, self.watched, self.tsus);
        Options { scene, left_out, slips, watched, tsus, ..Options::of(seed) }
    }

    /// What comes of it.
    #[must_use]
    pub fn broken(&self, seed: u64) -> Outcome {
        simulate(self.options(seed))
    }

    /// The same world, sound. For an assumption, the same seed where the assumption holds.
    #[must_use]
    pub fn sound(&self, seed: u64) -> Outcome {
        let mut options = Options { watched: self.watched, tsus: self.tsus, ..Options::of(seed) };
        options.scene = match self.scene {
            Scene::LeasedFrozen => Leased,
            Scene::MonitorFrozen => Witnessed,
            other => other,
        };
        simulate(options)
    }

    /// Whether the broken core is found out at this seed, and the sound one is not.
    #[must_use]
    pub fn is_found_out(&self, seed: u64) -> bool {
        self.finds(self.options(seed)) && self.sound(seed).oracle.violations.is_empty()
    }

    /// What is left out and does not matter at this seed: with it in place the broken core is found
    /// out all the same. Nothing, where the list says no more than it must.
    #[must_use]
    pub fn idle(&self, seed: u64) -> Vec<Condition> {
        let matters = |kept: &Condition| {
            let mut options = self.options(seed);
            options.left_out.retain(|condition| condition != kept);
            !self.finds(options)
        };
        self.left_out.iter().copied().filter(|kept| !matters(kept)).collect()
    }

    fn finds(&self, options: Options) -> bool {
        simulate(options).oracle.violations.iter().any(|v| v.of == self.found_by)
    }
}
