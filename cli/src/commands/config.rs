//! `runbook config`: every setting, its value and where that came from.

use clap::ValueEnum;
use serde_json::json;

use crate::args::Config;
use crate::exit::{Exit, Outcome};
use crate::settings::{KEYS, Origin, Settings};
use crate::ui::{Ui, line};

pub fn run(args: &Config, settings: &Settings, ui: &mut Ui) -> Outcome {
    let rows = rows(settings);
    if args.json {
        let object: serde_json::Map<String, serde_json::Value> =
            rows.into_iter().map(|(key, value, origin)| (key.to_owned(), json!({ "value": value, "origin": origin }))).collect();
        ui.data(&serde_json::Value::Object(object).to_string())?;
        return Ok(Exit::Succeeded);
    }
    let width = rows.iter().filter_map(|(_, value, _)| value.as_ref()).map(|v| v.chars().count()).max().unwrap_or(0);
    for (key, value, origin) in rows {
        let value = value.unwrap_or_else(|| "-".to_owned());
        ui.data(&format!("{key:<12} {:<width$}  ({})", line(&value), line(&origin)))?;
    }
    Ok(Exit::Succeeded)
}

/// Key, value and origin, in the order of [`KEYS`].
fn rows(settings: &Settings) -> Vec<(&'static str, Option<String>, String)> {
    let path = |path: &std::path::Path| Some(path.display().to_string());
    KEYS.iter()
        .map(|(key, _, _)| match *key {
            "catalogue" => (*key, path(&settings.catalogue.value), settings.catalogue.origin.to_string()),
            "state" => match settings.state() {
                Ok(state) => (*key, path(&state.value), state.origin.to_string()),
                Err(why) => (*key, None, why.message),
            },
            "server" => told(key, settings.server.as_ref().map(|server| (server.value.clone(), &server.origin))),
            "server_ca" => told(key, settings.server_ca.as_ref().map(|file| (file.value.display().to_string(), &file.origin))),
            "token_file" => told(key, settings.token_file.as_ref().map(|file| (file.value.display().to_string(), &file.origin))),
            "environment" => (*key, settings.environment.value.clone(), settings.environment.origin.to_string()),
            "color" => (*key, Some(name(&settings.color.value)), settings.color.origin.to_string()),
            _ => (*key, Some(name(&settings.progress.value)), settings.progress.origin.to_string()),
        })
        .collect()
}

/// What need not be said at all.
fn told(key: &'static str, said: Option<(String, &Origin)>) -> (&'static str, Option<String>, String) {
    let (value, origin) = said.map_or((None, Origin::Default), |(value, origin)| (Some(value), origin.clone()));
    (key, value, origin.to_string())
}

fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default()
}
