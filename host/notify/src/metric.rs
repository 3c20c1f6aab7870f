//! The figures that this room reports.

use metrics::{counter, gauge};

/// How an attempt to deliver ended; the label `outcome` of `taskyard_deliveries_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Delivered,
    WillRetry,
    GaveUp,
}

pub(crate) fn delivery(ended: Ended) {
    let outcome = match ended {
        Ended::Delivered => "delivered",
        Ended::WillRetry => "will-retry",
        Ended::GaveUp => "gave-up",
    };
    counter!("taskyard_deliveries_total", "outcome" => outcome).increment(1);
}

/// Lanes with something to deliver, now or later.
pub(crate) fn lanes(count: usize) {
    gauge!("taskyard_delivery_lanes").set(count as f64);
}
