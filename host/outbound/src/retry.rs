//! Whether a request is tried again, and when.

use std::time::Duration;

use chrono::DateTime;
use taskyard_task::{HttpError, HttpHead, Timestamp};

use crate::failure::Failure;
use crate::request::Retry;

/// Who fails this often in a row is not helped by one more attempt.
pub(crate) const MAX_ATTEMPTS: u32 = 20;
/// Whoever waits longer had better wait for a timer, which needs no memory.
const MAX_DELAY: Duration = Duration::from_secs(3_600);
/// What may be different the next time.
const RETRIED: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

impl Retry {
    /// How long to wait before the next attempt, after `made` ones of which the last ended like this.
    /// `None`: there is none, and this is the result.
    pub(crate) fn delay(
        &self,
        made: u32,
        last: Result<&HttpHead, &Failure>,
        now: Timestamp,
    ) -> Option<Duration> {
        if made >= self.max_attempts.min(MAX_ATTEMPTS) {
            return None;
        }
        let asked = match last {
            Ok(head) if RETRIED.contains(&head.status) => retry_after(head, now),
            Err(Failure::Missing(HttpError::TimedOut | HttpError::Failed(_))) => None,
            Ok(_) | Err(_) => return None,
        };
        let factor = 2_u32.saturating_pow(made.saturating_sub(1));
        let own = self.initial.saturating_mul(factor);
        let delay = own.max(asked.unwrap_or_default());
        Some(delay.min(self.max_delay).min(MAX_DELAY))
    }
}

/// What the other side asks for (RFC 9110 10.2.3): seconds, or a date.
fn retry_after(head: &HttpHead, now: Timestamp) -> Option<Duration> {
    let header = head
        .headers
        .iter()
        .find(|header| header.name == "retry-after")?;
    let text = str::from_utf8(&header.value).ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
    let left = u64::try_from(moment).ok()?.saturating_sub(now.0);
    Some(Duration::from_millis(left))
}

#[cfg(test)]
mod tests {
    use taskyard_task::HttpHeader;

    use super::*;

    const RETRY: Retry = Retry {
        max_attempts: 5,
        initial: Duration::from_millis(100),
        max_delay: Duration::from_secs(10),
    };
    const NOW: Timestamp = Timestamp(784_111_770_000);

    fn head(status: u16, retry_after: Option<&str>) -> HttpHead {
        let header = |value: &str| HttpHeader {
            name: "retry-after".to_owned(),
            value: value.as_bytes().to_vec(),
        };
        HttpHead {
            status,
            headers: retry_after.map(header).into_iter().collect(),
        }
    }

    fn after(made: u32, status: u16, retry_after: Option<&str>) -> Option<u128> {
        let head = head(status, retry_after);
        RETRY
            .delay(made, Ok(&head), NOW)
            .map(|delay| delay.as_millis())
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays: Vec<_> = (1..=5).map(|made| after(made, 503, None)).collect();
        assert_eq!(delays, [Some(100), Some(200), Some(400), Some(800), None]);
        let patient = Retry {
            max_attempts: u32::MAX,
            initial: Duration::MAX,
            max_delay: Duration::MAX,
        };
        let unavailable = head(503, None);
        assert_eq!(patient.delay(19, Ok(&unavailable), NOW), Some(MAX_DELAY));
        assert_eq!(patient.delay(20, Ok(&unavailable), NOW), None);
    }

    #[test]
    fn some_results_are_final() {
        for status in [200, 204, 301, 400, 401, 404, 409, 501] {
            assert_eq!(after(1, status, Some("1")), None, "{status}");
        }
        for status in RETRIED {
            assert_eq!(after(1, status, None), Some(100), "{status}");
        }
        for (error, again) in [
            (HttpError::TimedOut, true),
            (HttpError::Failed("refused".to_owned()), true),
            (HttpError::Denied("no".to_owned()), false),
            (HttpError::Invalid("no".to_owned()), false),
            (HttpError::TooLarge { limit: 1 }, false),
            (HttpError::Interrupted, false),
        ] {
            let missing = Failure::Missing(error);
            let delay = RETRY.delay(1, Err(&missing), NOW);
            assert_eq!(delay.is_some(), again, "{missing:?}");
        }
        let unreadable = Failure::unreadable("garbage".to_owned());
        assert_eq!(RETRY.delay(1, Err(&unreadable), NOW), None);
    }

    #[test]
    fn the_other_side_may_ask_for_more_time() {
        for (asked, delay) in [
            ("3", 3_000),
            ("0", 100),
            ("99999", 10_000),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 7_000),
            ("Sun, 06 Nov 1994 08:49:00 GMT", 100),
            ("Mon, 07 Nov 1994 08:49:37 GMT", 10_000),
            ("soon", 100),
            ("-1", 100),
            ("", 100),
        ] {
            assert_eq!(after(1, 429, Some(asked)), Some(delay), "{asked}");
        }
    }
}
