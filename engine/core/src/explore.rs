//! Predicted walks of a plan (being built).
