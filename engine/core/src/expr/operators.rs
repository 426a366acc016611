//! What the operators mean, for values alone. Integers and floating-point numbers mix; everything else of two different types
//! is an error and never silently `false`. Nothing (`()`) may be compared with anything for equality.

use std::cmp::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rhai::Token;

use super::text::plain_text;
use crate::limits;
use crate::value::{Map, Value, format_duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    In,
}

impl Operator {
    pub fn of(token: &Token) -> Option<Operator> {
        Some(match token {
            Token::EqualsTo => Operator::Equal,
            Token::NotEqualsTo => Operator::NotEqual,
            Token::LessThan => Operator::Less,
            Token::LessThanEqualsTo => Operator::LessOrEqual,
            Token::GreaterThan => Operator::Greater,
            Token::GreaterThanEqualsTo => Operator::GreaterOrEqual,
            Token::Plus => Operator::Add,
            Token::Minus => Operator::Subtract,
            Token::Multiply => Operator::Multiply,
            Token::Divide => Operator::Divide,
            Token::Modulo => Operator::Remainder,
            Token::PowerOf => Operator::Power,
            Token::In => Operator::In,
            _ => return None,
        })
    }

    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Power => "**",
            Operator::In => "in",
        }
    }

    pub fn is_equality(self) -> bool {
        matches!(self, Operator::Equal | Operator::NotEqual)
    }

    pub fn is_order(self) -> bool {
        matches!(self, Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual)
    }

    pub fn apply(self, a: &Value, b: &Value) -> Result<Value, String> {
        match self {
            Operator::Equal => equal(a, b).map(Value::Bool),
            Operator::NotEqual => equal(a, b).map(|equal| Value::Bool(!equal)),
            Operator::In => contains(b, a).map(Value::Bool),
            order if order.is_order() => {
                // A comparison with NaN holds never.
                let Some(found) = compare(a, b)? else { return Ok(Value::Bool(false)) };
                Ok(Value::Bool(match order {
                    Operator::Less => found.is_lt(),
                    Operator::LessOrEqual => found.is_le(),
                    Operator::Greater => found.is_gt(),
                    _ => found.is_ge(),
                }))
            }
            arithmetic => arithmetic.calculate(a, b),
        }
    }

    fn calculate(self, a: &Value, b: &Value) -> Result<Value, String> {
        let overflow = || format!("{} {} {} does not fit 64 bits", plain_text(a), self.symbol(), plain_text(b));
        match (self, a, b) {
            (_, Value::Int(x), Value::Int(y)) => {
                if *y == 0 && matches!(self, Operator::Divide | Operator::Remainder) {
                    return Err("division by zero".to_owned());
                }
                let result = match self {
                    Operator::Add => x.checked_add(*y),
                    Operator::Subtract => x.checked_sub(*y),
                    Operator::Multiply => x.checked_mul(*y),
                    Operator::Divide => x.checked_div(*y),
                    Operator::Remainder => x.checked_rem(*y),
                    _ => match u32::try_from(*y) {
                        Ok(exponent) => x.checked_pow(exponent),
                        Err(_) if *y < 0 => return Err("an integer has no negative power; write a number such as `2.0`".to_owned()),
                        Err(_) => None,
                    },
                };
                result.map(Value::Int).ok_or_else(overflow)
            }
            (_, Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                let (x, y) = (float(a), float(b));
                if y == 0.0 && matches!(self, Operator::Divide | Operator::Remainder) {
                    return Err("division by zero".to_owned());
                }
                let result = match self {
                    Operator::Add => x + y,
                    Operator::Subtract => x - y,
                    Operator::Multiply => x * y,
                    Operator::Divide => x / y,
                    Operator::Remainder => x % y,
                    _ => x.powf(y),
                };
                // Neither infinity nor what is no number can be written down, so neither may be a value.
                if result.is_finite() {
                    Ok(Value::Float(result))
                } else {
                    Err(format!("{} {} {} is no number that can be written", plain_text(a), self.symbol(), plain_text(b)))
                }
            }
            (Operator::Add, Value::List(x), Value::List(y)) => Ok(Value::List(x.iter().chain(y).cloned().collect())),
            (Operator::Add, Value::Map(x), Value::Map(y)) => {
                let mut both: Map = x.clone();
                both.extend(y.iter().map(|(key, value)| (key.clone(), value.clone())));
                Ok(Value::Map(both))
            }
            (Operator::Add, Value::Text(_), other) | (Operator::Add, other, Value::Text(_))
                if !matches!(other, Value::List(_) | Value::Map(_) | Value::Null) =>
            {
                Ok(Value::Text(plain_text(a) + &plain_text(b)))
            }
            (Operator::Add, Value::Duration(x), Value::Duration(y)) => bounded(x.checked_add(*y)),
            (Operator::Subtract, Value::Duration(x), Value::Duration(y)) => x
                .checked_sub(*y)
                .map(Value::Duration)
                .ok_or_else(|| format!("{} - {} is less than nothing", format_duration(*x), format_duration(*y))),
            (Operator::Multiply, Value::Duration(x), y @ (Value::Int(_) | Value::Float(_)))
            | (Operator::Multiply, y @ (Value::Int(_) | Value::Float(_)), Value::Duration(x)) => scaled(*x, float(y)),
            (Operator::Divide, Value::Duration(_), y @ (Value::Int(_) | Value::Float(_))) if float(y) == 0.0 => {
                Err("division by zero".to_owned())
            }
            (Operator::Divide, Value::Duration(x), y @ (Value::Int(_) | Value::Float(_))) => scaled(*x, 1.0 / float(y)),
            (Operator::Divide, Value::Duration(x), Value::Duration(y)) if !y.is_zero() => {
                Ok(Value::Float(x.as_secs_f64() / y.as_secs_f64()))
            }
            (Operator::Divide, Value::Duration(_), Value::Duration(_)) => Err("division by zero".to_owned()),
            (Operator::Subtract, Value::Time(x), Value::Time(y)) => Duration::try_from(x.duration_since(*y))
                .map(Value::Duration)
                .map_err(|_| format!("{x} is before {y}, so the time between them is less than nothing")),
            (Operator::Add, Value::Time(x), Value::Duration(y)) | (Operator::Add, Value::Duration(y), Value::Time(x)) => {
                moved(x, *y, false)
            }
            (Operator::Subtract, Value::Time(x), Value::Duration(y)) => moved(x, *y, true),
            _ => Err(format!("`{}` does not work on {} and {}", self.symbol(), named(a), named(b))),
        }
    }
}

fn bounded(duration: Option<Duration>) -> Result<Value, String> {
    match duration {
        Some(duration) if duration <= limits::DURATION => Ok(Value::Duration(duration)),
        _ => Err("the duration is longer than ten years".to_owned()),
    }
}

fn scaled(duration: Duration, factor: f64) -> Result<Value, String> {
    let milliseconds = duration.as_secs_f64() * 1000.0 * factor;
    if !(0.0..=limits::DURATION.as_secs_f64() * 1000.0).contains(&milliseconds) {
        return Err("the duration is less than nothing, or longer than ten years".to_owned());
    }
    bounded(Some(Duration::from_millis(milliseconds.round() as u64)))
}

fn moved(time: &Timestamp, by: Duration, back: bool) -> Result<Value, String> {
    let outside = || "the time is outside the calendar".to_owned();
    let by = SignedDuration::try_from(by).map_err(|_| outside())?;
    let moved = if back { time.checked_sub(by) } else { time.checked_add(by) };
    moved.map(Value::Time).map_err(|_| outside())
}

/// A number as floating point; 0 for anything else.
pub(super) fn float(value: &Value) -> f64 {
    match value {
        Value::Int(i) => *i as f64,
        Value::Float(f) => *f,
        _ => 0.0,
    }
}

/// The type with its article, for messages: `an integer`.
pub(super) fn named(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Int(_) => "an integer".to_owned(),
        Value::Unknown(_) => "an unknown value".to_owned(),
        other => format!("a {}", other.type_name()),
    }
}

/// Whether two values are equal. Values of different types cannot be told apart by accident: that is an error, also inside
/// lists and maps of the same shape.
pub(super) fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Null, other) | (other, Value::Null) => Ok(*other == Value::Null),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => Ok(order_numbers(a, b) == Some(Ordering::Equal)),
        (Value::List(x), Value::List(y)) => {
            if x.len() != y.len() {
                return Ok(false);
            }
            for (x, y) in x.iter().zip(y) {
                if !equal(x, y)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Map(x), Value::Map(y)) => {
            if !x.keys().eq(y.keys()) {
                return Ok(false);
            }
            for (x, y) in x.values().zip(y.values()) {
                if !equal(x, y)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => Ok(a == b),
        (a, b) => Err(different(a, b)),
    }
}

/// The order of two values of one ordered type; `None` where a number is not one.
pub(super) fn compare(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    match (a, b) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => Ok(order_numbers(a, b)),
        (Value::Text(x), Value::Text(y)) => Ok(Some(x.cmp(y))),
        (Value::Duration(x), Value::Duration(y)) => Ok(Some(x.cmp(y))),
        (Value::Time(x), Value::Time(y)) => Ok(Some(x.cmp(y))),
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => {
            Err(format!("{} has no order; compare with `==`, or compare a member of it", named(a)))
        }
        (a, b) => Err(different(a, b)),
    }
}

fn different(a: &Value, b: &Value) -> String {
    let way_out = match (a, b) {
        (Value::Text(_), Value::Int(_) | Value::Float(_)) | (Value::Int(_) | Value::Float(_), Value::Text(_)) => {
            "; turn the text into a number with `.parse_int()` or `.parse_float()`"
        }
        (Value::Duration(_), Value::Int(_) | Value::Float(_)) | (Value::Int(_) | Value::Float(_), Value::Duration(_)) => {
            "; write `.seconds` behind the duration, or the number as `duration(\"30s\")`"
        }
        (Value::Duration(_), Value::Text(_)) | (Value::Text(_), Value::Duration(_)) => "; write the text as `duration(\"30s\")`",
        (Value::Time(_), Value::Text(_)) | (Value::Text(_), Value::Time(_)) => "; read the text with `time(…)`",
        _ => "",
    };
    format!("{} cannot be compared with {}{way_out}", named(a), named(b))
}

/// Exact also beyond 2^53, where an integer is not a floating-point number.
pub(crate) fn order_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) => Some(x.cmp(y)),
        (Value::Int(x), Value::Float(y)) => order_mixed(*x, *y),
        (Value::Float(x), Value::Int(y)) => order_mixed(*y, *x).map(Ordering::reverse),
        _ => float(a).partial_cmp(&float(b)),
    }
}

fn order_mixed(int: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let whole = float.trunc();
    // Every i64 lies strictly between these two powers of two or on the lower one.
    if whole >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if whole < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    Some(int.cmp(&(whole as i64)).then(0.0f64.partial_cmp(&(float - whole))?))
}

/// `item in whole`: an element of a list, a key of a map, a part of a text.
pub(super) fn contains(whole: &Value, item: &Value) -> Result<bool, String> {
    match (whole, item) {
        (Value::List(items), item) => {
            for found in items {
                // A list may hold several types; only what has the item's type can be it.
                if equal(found, item).unwrap_or(false) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Value::Map(map), Value::Text(key)) => Ok(map.contains_key(key)),
        (Value::Text(text), Value::Text(part)) => Ok(text.contains(part.as_str())),
        (whole, item) => Err(format!("{} cannot contain {}", named(whole), named(item))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_are_ordered_exactly() {
        for (int, float, expect) in [
            (1, 1.0, Some(Ordering::Equal)),
            (1, 1.5, Some(Ordering::Less)),
            (-1, -1.5, Some(Ordering::Greater)),
            (i64::MAX, i64::MAX as f64, Some(Ordering::Less)),
            (i64::MIN, i64::MIN as f64, Some(Ordering::Equal)),
            (9_007_199_254_740_993, 9_007_199_254_740_992.0, Some(Ordering::Greater)),
            (0, f64::INFINITY, Some(Ordering::Less)),
            (0, f64::NEG_INFINITY, Some(Ordering::Greater)),
            (0, f64::NAN, None),
        ] {
            assert_eq!(order_mixed(int, float), expect, "{int} {float}");
        }
    }
}
