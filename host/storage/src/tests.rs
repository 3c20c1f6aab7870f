//! Tests of the tables as a whole.
