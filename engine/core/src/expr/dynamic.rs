//! Values on Rhai's side, for scripts: what is what there, and the functions of expressions registered for it.

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
    LogicPackage, MoreStringPackage, Package,
};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use super::functions::{self, DURATION_PARTS, Function, TIME_PARTS};
use super::operators::Operator;
use super::text::{depth, plain_text};
use crate::limits;
use crate::value::{Map, Value};

/// A duration or a time, for which Rhai has no type. It is always one of the two.
#[derive(Clone, Debug)]
struct Moment(Value);

pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => Dynamic::from_bool(*b),
        Value::Int(i) => Dynamic::from_int(*i),
        Value::Float(f) => Dynamic::from_float(*f),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Value::Map(map) => Dynamic::from_map(map.iter().map(|(key, value)| (key.as_str().into(), to_dynamic(value))).collect()),
        Value::Duration(_) | Value::Time(_) => Dynamic::from(Moment(value.clone())),
        // Scripts run for real, where nothing is unknown; its mark is text like any other.
        Value::Unknown(_) => plain_text(value).into(),
    }
}

/// What a script gave, as a value. Functions and other things that are not data are refused.
pub(super) fn from_dynamic(dynamic: &Dynamic) -> Result<Value, String> {
    let value = convert(dynamic, 0)?;
    if depth(&value) > limits::VALUE_DEPTH {
        return Err(format!("the value is nested more than {} deep", limits::VALUE_DEPTH));
    }
    Ok(value)
}

fn convert(dynamic: &Dynamic, level: usize) -> Result<Value, String> {
    if level > limits::VALUE_DEPTH {
        return Err(format!("the value is nested more than {} deep", limits::VALUE_DEPTH));
    }
    if dynamic.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = dynamic.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(i) = dynamic.as_int() {
        return Ok(Value::Int(i));
    }
    if let Ok(f) = dynamic.as_float() {
        return if f.is_finite() { Ok(Value::Float(f)) } else { Err(format!("{f} is not a value")) };
    }
    if let Ok(c) = dynamic.as_char() {
        return Ok(Value::text(c));
    }
    if let Some(text) = dynamic.read_lock::<ImmutableString>() {
        return Ok(Value::text(text.as_str()));
    }
    if let Some(moment) = dynamic.read_lock::<Moment>() {
        return Ok(moment.0.clone());
    }
    if let Some(items) = dynamic.read_lock::<rhai::Array>() {
        return Ok(Value::List(items.iter().map(|item| convert(item, level + 1)).collect::<Result<_, _>>()?));
    }
    if let Some(map) = dynamic.read_lock::<rhai::Map>() {
        let entries = map.iter().map(|(key, value)| Ok((key.to_string(), convert(value, level + 1)?)));
        return Ok(Value::Map(entries.collect::<Result<Map, String>>()?));
    }
    Err(format!("a {} is not a value", dynamic.type_name()))
}

type Result1 = Result<Dynamic, Box<EvalAltResult>>;

fn called(function: &Function, arguments: &[&Dynamic]) -> Result1 {
    let values: Vec<Value> = arguments.iter().map(|argument| from_dynamic(argument)).collect::<Result<_, _>>()?;
    let values: Vec<&Value> = values.iter().collect();
    Ok(to_dynamic(&function.call(&values)?))
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(ArithmeticPackage::new().as_shared_module());
    engine.register_global_module(LogicPackage::new().as_shared_module());
    engine.register_global_module(BasicStringPackage::new().as_shared_module());
    engine.register_global_module(MoreStringPackage::new().as_shared_module());
    engine.register_global_module(BasicIteratorPackage::new().as_shared_module());
    engine.register_global_module(BasicArrayPackage::new().as_shared_module());
    engine.register_global_module(BasicMapPackage::new().as_shared_module());
    engine.register_global_module(BasicMathPackage::new().as_shared_module());

    engine.register_type_with_name::<Moment>("moment");
    for part in DURATION_PARTS.iter().chain(&TIME_PARTS) {
        engine.register_get(*part, move |moment: &mut Moment| -> Result1 {
            match functions::part(&moment.0, part) {
                Some(value) => Ok(to_dynamic(&value)),
                None => Err(format!("a {} has no `{part}`", moment.0.type_name()).into()),
            }
        });
    }
    register_operators(engine);
    engine.register_fn("to_string", |moment: &mut Moment| plain_text(&moment.0));
    engine.register_fn("sleep", |_: Dynamic| -> Result1 { Err("`sleep` is not available; use a `wait` step".into()) });

    // Rhai's own work on the types that it knows; what it lacks, or means otherwise (`trim` there changes its text and gives
    // nothing), is that of expressions.
    for function in Function::all() {
        let name = function.name;
        match (function.takes_closure(), *function.arguments.end()) {
            (true, _) => {}
            (false, 1) if function.on == ["string"] => {
                engine.register_fn(name, move |a: ImmutableString| called(function, &[&Dynamic::from(a)]));
            }
            (false, 1) => {
                engine.register_fn(name, move |a: Dynamic| called(function, &[&a]));
            }
            (false, 2) => {
                if *function.arguments.start() == 1 {
                    engine.register_fn(name, move |a: Dynamic| called(function, &[&a]));
                }
                engine.register_fn(name, move |a: Dynamic, b: Dynamic| called(function, &[&a, &b]));
            }
            (false, _) => {
                engine.register_fn(name, move |a: Dynamic, b: Dynamic| called(function, &[&a, &b]));
                engine.register_fn(name, move |a: Dynamic, b: Dynamic, c: Dynamic| called(function, &[&a, &b, &c]));
            }
        }
    }
}

fn register_operators(engine: &mut Engine) {
    const OPERATORS: [Operator; 10] = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
        Operator::Add,
        Operator::Subtract,
        Operator::Multiply,
        Operator::Divide,
    ];
    for operator in OPERATORS {
        let apply = move |a: &Value, b: &Value| -> Result1 { Ok(to_dynamic(&operator.apply(a, b)?)) };
        let name = operator.symbol();
        engine.register_fn(name, move |a: Moment, b: Moment| apply(&a.0, &b.0));
        engine.register_fn(name, move |a: Moment, b: i64| apply(&a.0, &Value::Int(b)));
        engine.register_fn(name, move |a: i64, b: Moment| apply(&Value::Int(a), &b.0));
        engine.register_fn(name, move |a: Moment, b: f64| apply(&a.0, &Value::Float(b)));
        engine.register_fn(name, move |a: f64, b: Moment| apply(&Value::Float(a), &b.0));
        engine.register_fn(name, move |a: Moment, b: ImmutableString| apply(&a.0, &Value::text(b.as_str())));
        engine.register_fn(name, move |a: ImmutableString, b: Moment| apply(&Value::text(a.as_str()), &b.0));
    }
}
