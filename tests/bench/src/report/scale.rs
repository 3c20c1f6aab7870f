//! How values become places in a plot.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use super::plot::short;
use super::{Axis, Row};

/// From here on, the smallest values of a linear panel could not be told apart.
const WIDE: f64 = 50.0;

/// How values become places in a panel: as they are, or by their orders of magnitude.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub(super) logarithmic: bool,
    /// Where the panel begins, ends and has its ticks: values, or their logarithms.
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Scale {
    /// From zero, or by orders of magnitude if the values differ by many.
    pub(super) fn of_values(values: &[f64]) -> Self {
        let positive = values.iter().copied().filter(|value| *value > 0.0);
        let (least, most) = bounds(positive);
        let negative = values.iter().any(|value| *value < 0.0);
        if !negative && most > least * WIDE {
            return Self::decades(least, most);
        }
        let (low, high) = bounds(values.iter().copied().chain([0.0]));
        let step = step(high - low);
        Self::linear(
            (low / step).floor() * step,
            (high / step).ceil() * step,
            step,
        )
    }

    /// As wide as what is there, with ticks at it as long as their labels fit.
    pub(super) fn of_axis(axis: &Axis, rows: &[&Row]) -> Self {
        let all = rows
            .iter()
            .filter_map(|row| row.at)
            .filter(|at| at.is_finite());
        let logarithmic = axis.logarithmic && all.clone().all(|at| at > 0.0);
        let mut scale = Self {
            logarithmic,
            low: 0.0,
            high: 1.0,
            ticks: Vec::new(),
        };
        let mut places: Vec<_> = all.map(|at| scale.place(at)).collect();
        places.sort_by(f64::total_cmp);
        let (low, high) = bounds(places.iter().copied());
        let edge = if high > low { (high - low) * 0.03 } else { 0.5 };
        (scale.low, scale.high) = (low - edge, high + edge);
        scale.ticks = spaced(&places, (high - low) * 0.09);
        scale
    }

    fn linear(low: f64, high: f64, step: f64) -> Self {
        let high = high.max(low + step);
        Self {
            logarithmic: false,
            low,
            high,
            ticks: ticks(low, high, step),
        }
    }

    /// From a place that leaves the least value something to show, to the next power of ten.
    fn decades(least: f64, most: f64) -> Self {
        let low = (least / 1.5).log10().floor();
        let high = most.log10().ceil();
        let step = ((high - low) / 8.0).ceil();
        Self {
            logarithmic: true,
            low,
            high,
            ticks: ticks(low, high, step),
        }
    }

    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (value > 0.0 || !self.logarithmic)
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        if self.logarithmic {
            value.log10()
        } else {
            value
        }
    }

    pub(super) fn value(&self, place: f64) -> f64 {
        if self.logarithmic {
            10_f64.powf(place)
        } else {
            place
        }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        // The logarithm of zero is far below.
        let place = self.place(*value).max(self.low).min(self.high);
        RangedCoordf64::from(self.low..self.high).map(&place, pixels)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|tick| self.value(*tick)).collect()
    }

    fn range(&self) -> Range<f64> {
        self.value(self.low)..self.value(self.high)
    }
}

impl ValueFormatter<f64> for Scale {
    fn format(value: &f64) -> String {
        short(*value)
    }
}

fn ticks(low: f64, high: f64, step: f64) -> Vec<f64> {
    (0..20_u32)
        .map(|index| low + step * f64::from(index))
        .take_while(|tick| *tick <= high + step / 100.0)
        .collect()
}

/// Those of sorted places that are more than `gap` apart.
fn spaced(places: &[f64], gap: f64) -> Vec<f64> {
    let mut kept: Vec<f64> = Vec::new();
    for place in places {
        if kept.last().is_none_or(|last| place - last > gap) {
            kept.push(*place);
        }
    }
    kept
}

/// About a fifth of the span, as people would count: 1, 2 or 5, and zeros.
fn step(span: f64) -> f64 {
    if span <= 0.0 {
        return 1.0;
    }
    let least = span / 5.0;
    let zeros = 10_f64.powf(least.log10().floor());
    let digits = [1.0, 2.0, 5.0].into_iter();
    let digit = digits
        .map(|digit| digit * zeros)
        .find(|step| *step >= least);
    digit.unwrap_or(10.0 * zeros)
}

/// The least and the greatest, or zeros if there are none.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let wider = |bounds: Option<(f64, f64)>, value: f64| {
        let (least, most) = bounds.unwrap_or((value, value));
        Some((least.min(value), most.max(value)))
    };
    values.fold(None, wider).unwrap_or_default()
}
