//! What is asked of the host while it crashes, and what must come of it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::agent::message_of;
use crate::support::{message, task};

/// One task to be.
pub(super) struct Job {
    /// Tells it apart from all others.
    pub(super) number: u64,
    kind: Kind,
    /// What is sent; the same each time it is sent.
    pub(super) message: Value,
}

enum Kind {
    Echo {
        text: String,
    },
    Countdown {
        steps: u64,
    },
    Report {
        rows: Vec<(u64, i32)>,
    },
    Approval {
        action: String,
        answer: &'static str,
    },
}

impl Job {
    /// The `number`-th task of the test with this seed.
    pub(super) fn random(number: u64, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Half of them take a while, so that each crash hits some in the middle.
        let kind = match rng.random_range(0..6) {
            0 => Kind::Echo {
                text: "x".repeat(rng.random_range(1..20_000)),
            },
            1 => {
                let count = rng.random_range(0..2_000);
                let rows = (0..count).map(|row| (row, rng.random_range(-1_000..1_000)));
                Kind::Report {
                    rows: rows.collect(),
                }
            }
            2 => Kind::Approval {
                action: format!("Deploy version {number}"),
                answer: if rng.random() { "yes" } else { "no" },
            },
            _ => Kind::Countdown {
                steps: rng.random_range(1..60),
            },
        };
        let message = kind.message();
        Self {
            number,
            kind,
            message,
        }
    }

    /// Who does it.
    pub(super) fn agent(&self) -> &'static str {
        match self.kind {
            Kind::Echo { .. } => "echo",
            Kind::Countdown { .. } => "countdown",
            Kind::Report { .. } => "csv-report",
            Kind::Approval { .. } => "approval",
        }
    }

    /// What the client says when it is asked.
    pub(super) fn answer(&self) -> &'static str {
        match self.kind {
            Kind::Approval { answer, .. } => answer,
            _ => panic!("{} asked something", self.agent()),
        }
    }

    /// Whether `done` is what was asked for, byte for byte.
    pub(super) fn check(&self, done: &Value) {
        let says = (task::state(done), task::says(done));
        match &self.kind {
            Kind::Echo { text } => {
                assert_eq!(says, ("COMPLETED", ""));
                assert_eq!(&task::artifact(done, "echo"), text);
            }
            Kind::Countdown { .. } => {
                assert_eq!(says, ("COMPLETED", ""));
                assert_eq!(task::artifact(done, "lift-off"), "Lift-off!");
            }
            Kind::Report { rows } => {
                let words = format!("{} rows, 2 columns, 0 malformed rows", rows.len());
                assert_eq!(says, ("COMPLETED", words.as_str()));
                assert_eq!(task::artifact(done, "table"), table(rows));
            }
            Kind::Approval { action, answer } if *answer == "yes" => {
                assert_eq!(says, ("COMPLETED", "approved"));
                let decision = task::artifact(done, "decision");
                assert!(
                    decision.starts_with(&format!("Approved: {action}\n")),
                    "{decision}"
                );
                assert!(decision.contains("\nAnswer: yes\nAt: "), "{decision}");
            }
            Kind::Approval { .. } => {
                assert_eq!(says, ("REJECTED", "not approved"));
                assert_eq!(
                    done.get("artifacts")
                        .and_then(Value::as_array)
                        .map_or(0, Vec::len),
                    0
                );
            }
        }
    }

    /// What the task must have reported on the way, if that is known.
    pub(super) fn reports(&self) -> Option<Vec<String>> {
        match self.kind {
            Kind::Countdown { steps } => {
                Some((1..=steps).rev().map(|left| left.to_string()).collect())
            }
            _ => None,
        }
    }
}

impl Kind {
    fn message(&self) -> Value {
        match self {
            Self::Echo { text } => message(text),
            Self::Countdown { steps } => message(&steps.to_string()),
            Self::Approval { action, .. } => message(action),
            Self::Report { rows } => {
                let lines: String = rows
                    .iter()
                    .map(|(n, value)| format!("{n},{value}\n"))
                    .collect();
                let file = format!("n,value\n{lines}");
                message_of(json!([{"text": file, "mediaType": "text/csv"}]))
            }
        }
    }
}

fn table(rows: &[(u64, i32)]) -> String {
    let lines: String = rows
        .iter()
        .map(|(n, value)| format!("| {n} | {value} |\n"))
        .collect();
    format!("| n | value |\n| --- | --- |\n{lines}")
}
