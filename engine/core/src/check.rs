//! Document → Plan (being built).
