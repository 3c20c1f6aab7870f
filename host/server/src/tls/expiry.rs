//! When the certificate ends, and saying so in time.

use anyhow::Context;
use metrics::gauge;
use rustls::pki_types::CertificateDer;
use taskyard_task::Timestamp;
use x509_parser::parse_x509_certificate;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Renewals happen earlier by themselves; whoever renews by hand still has two weeks.
const WARN_BEFORE_MS: u64 = 14 * DAY_MS;
/// Once a day is enough to be seen, and not so often that nobody looks any more.
const WARN_AGAIN_MS: u64 = DAY_MS;

/// When a certificate ends.
///
/// # Errors
/// If it is not one.
pub(super) fn end(certificate: &CertificateDer<'_>) -> anyhow::Result<Timestamp> {
    let (_, certificate) =
        parse_x509_certificate(certificate).context("the certificate cannot be read")?;
    let seconds = certificate.validity().not_after.timestamp();
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Ok(Timestamp(seconds.saturating_mul(1_000)))
}

/// Shows the end as a figure.
pub(super) fn show(end: Timestamp) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds fit for millions of years"
    )]
    gauge!("taskyard_tls_certificate_expiry_timestamp_seconds").set((end.0 / 1_000) as f64);
}

/// Reminds of a certificate that ends soon, once a day.
#[derive(Debug, Default)]
pub(super) struct Reminder {
    last: Option<Timestamp>,
}

impl Reminder {
    /// What to say, if it is time to.
    pub(super) fn remind(&mut self, end: Timestamp, now: Timestamp) -> Option<String> {
        let said = self
            .last
            .is_some_and(|last| now.millis_since(last) < WARN_AGAIN_MS);
        let is_due = now.plus_millis(WARN_BEFORE_MS) >= end && !said;
        is_due.then(|| {
            self.last = Some(now);
            in_words(end, now)
        })
    }
}

fn in_words(end: Timestamp, now: Timestamp) -> String {
    let days = end.millis_since(now) / DAY_MS;
    match end > now {
        true => {
            format!("the TLS certificate ends in {days} days; put a new one into its place")
        }
        false => {
            "the TLS certificate has ended, and clients refuse it; put a new one into its place"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_weeks_are_warned_of_once_a_day() {
        let end = Timestamp(100 * DAY_MS);
        let mut reminder = Reminder::default();
        let table = [
            (85 * DAY_MS, false),
            (86 * DAY_MS, true),
            (86 * DAY_MS + 1, false),
            (87 * DAY_MS, true),
            (100 * DAY_MS, true),
            (200 * DAY_MS, true),
        ];
        for (now, expected) in table {
            let said = reminder.remind(end, Timestamp(now));
            assert_eq!(said.is_some(), expected, "{now}");
        }
    }
}
