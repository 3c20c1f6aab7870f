//! Scenarios with a scripted worker and a simulated clock.
