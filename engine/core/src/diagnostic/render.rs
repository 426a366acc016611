//! Rendering diagnostics for people and for machines (being built).
