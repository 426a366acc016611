//! From the text of an expression to its tree. The words of the language are Rhai's (its own tokenizer reads them, with its
//! precedences), the sentences are those that cannot loop, assign, import or call anything impure, so that what is refused
//! is refused here and named.
//!
//! Every node knows its byte offset. The depth of a tree is bounded, so walking one never exhausts the stack.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rhai::Token;

use super::functions::Function;
use super::operators::Operator;
use super::{ParseError, Reference};
use crate::limits;
use crate::value::Value;

#[derive(Debug)]
pub(super) struct Node {
    pub offset: usize,
    pub kind: Kind,
    depth: u16,
}

#[derive(Debug)]
pub(super) enum Kind {
    Literal(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A name from outside: an index into [`Tree::names`].
    Name(usize),
    /// The parameter of an enclosing closure, counted from the outermost.
    Parameter(usize),
    Member {
        of: Box<Node>,
        name: String,
        optional: bool,
    },
    Index {
        of: Box<Node>,
        at: Box<Node>,
        optional: bool,
    },
    Call {
        function: &'static Function,
        arguments: Vec<Node>,
        /// The body of the closure that the call ends with.
        closure: Option<Box<Node>>,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Coalesce(Box<Node>, Box<Node>),
    If {
        condition: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
}

/// A name as [`super::Names`] is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub root: String,
    pub member: Option<String>,
}

impl Name {
    pub fn path(&self) -> String {
        match &self.member {
            Some(member) => format!("{}.{member}", self.root),
            None => self.root.clone(),
        }
    }
}

/// What is asked of a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'t> {
    Value(&'t Name),
    Has(&'t Name, &'t str),
}

#[derive(Debug)]
pub(super) struct Tree {
    pub root: Node,
    /// Each name once.
    pub names: Vec<Name>,
}

impl Node {
    /// What stands directly below, closures included.
    pub fn children(&self) -> Vec<&Node> {
        match &self.kind {
            Kind::Literal(_) | Kind::Name(_) | Kind::Parameter(_) => Vec::new(),
            Kind::List(items) => items.iter().collect(),
            Kind::Map(entries) => entries.iter().map(|(_, node)| node).collect(),
            Kind::Member { of, .. } | Kind::Not(of) | Kind::Negate(of) => vec![of],
            Kind::Index { of, at, .. } => vec![of, at],
            Kind::Call { arguments, closure, .. } => arguments.iter().chain(closure.as_deref()).collect(),
            Kind::Binary(_, a, b) | Kind::And(a, b) | Kind::Or(a, b) | Kind::Coalesce(a, b) => vec![a, b],
            Kind::If { condition, then, otherwise } => vec![condition, then, otherwise],
        }
    }
}

impl Tree {
    /// Whether something in it has a value for some operands of its type and none for others. What is written out has been judged.
    pub fn may_fail(&self) -> bool {
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            let is_literal = |node: &Node| matches!(node.kind, Kind::Literal(_));
            let partial = match &node.kind {
                Kind::Call { function, arguments, .. } => function.is_partial() && !arguments.iter().all(is_literal),
                Kind::Index { optional, .. } => !optional,
                Kind::Binary(Operator::Divide | Operator::Remainder, _, divisor) => !is_literal(divisor),
                _ => false,
            };
            if partial {
                return true;
            }
            open.extend(node.children());
        }
        false
    }

    /// Every name with the members read from it, as far as they are written out: `steps.lag.seconds`.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        self.collect(&self.root, &mut found);
        found.sort();
        found.dedup();
        found.sort_by_key(|reference| reference.offset);
        found
    }

    fn collect(&self, node: &Node, found: &mut Vec<Reference>) {
        match self.path_of(node) {
            Some(reference) => found.push(reference),
            None => node.children().into_iter().for_each(|child| self.collect(child, found)),
        }
    }

    /// The same, where what is asked for in a whole is that part alone: `"lag" in steps` rests on `steps.lag`.
    pub fn reads(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        self.collect_reads(&self.root, &mut |reference, _| found.push(reference));
        found
    }

    /// Those of them that are a whole, or of which it only asks whether they are there.
    pub fn wholes(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        self.collect_reads(&self.root, &mut |reference, asks| {
            found.extend((asks || reference.path.len() == 1).then_some(reference));
        });
        found
    }

    /// Those of them that it only asks for.
    pub fn asks(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        self.collect_reads(&self.root, &mut |reference, asks| found.extend(asks.then_some(reference)));
        found
    }

    fn collect_reads(&self, node: &Node, found: &mut dyn FnMut(Reference, bool)) {
        let member = match &node.kind {
            Kind::Binary(Operator::In, member, of) => self.membership(member, of),
            _ => None,
        };
        match (member, self.path_of(node)) {
            (Some((name, member)), _) => {
                found(Reference { path: vec![name.root.clone(), member.to_owned()], offset: node.offset }, true);
            }
            (None, Some(reference)) => found(reference, false),
            (None, None) => node.children().into_iter().for_each(|child| self.collect_reads(child, found)),
        }
    }

    /// What an evaluation may ask of the names from outside, each with where it stands: its value, or whether it has a member.
    pub fn asked(&self) -> Vec<(Asked<'_>, usize)> {
        let mut found = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            match &node.kind {
                Kind::Binary(Operator::In, member, of) if let Some((name, member)) = self.membership(member, of) => {
                    found.push((Asked::Has(name, member), node.offset));
                }
                Kind::Name(index) => found.extend(self.names.get(*index).map(|name| (Asked::Value(name), node.offset))),
                _ => open.extend(node.children()),
            }
        }
        found
    }

    /// Of `"lag" in steps`: the name, and what is asked for in it.
    pub fn membership<'n>(&'n self, member: &'n Node, of: &Node) -> Option<(&'n Name, &'n str)> {
        let name = if let Kind::Name(index) = of.kind { self.names.get(index)? } else { return None };
        match &member.kind {
            Kind::Literal(Value::Text(member)) if name.member.is_none() && NAMESPACES.contains(&name.root.as_str()) => {
                Some((name, member.as_str()))
            }
            _ => None,
        }
    }

    /// The reference that `node` is, if it is a name and members of it and nothing else.
    pub fn path_of(&self, node: &Node) -> Option<Reference> {
        match &node.kind {
            Kind::Name(index) => {
                let name = self.names.get(*index)?;
                let path = std::iter::once(&name.root).chain(&name.member).cloned().collect();
                Some(Reference { path, offset: node.offset })
            }
            Kind::Member { of, name, .. } => {
                let mut reference = self.path_of(of)?;
                reference.path.push(name.clone());
                Some(reference)
            }
            _ => None,
        }
    }
}

/// Roots that are only ever read member by member.
const NAMESPACES: [&str; 4] = ["inputs", "steps", "run", "secrets"];

/// Splits a path into what [`super::Names`] is asked for and what is read from the answer.
pub(super) fn split_path(path: &[String]) -> Option<(Name, &[String])> {
    let (root, rest) = path.split_first()?;
    match rest.split_first() {
        Some((member, rest)) if NAMESPACES.contains(&root.as_str()) => {
            Some((Name { root: root.clone(), member: Some(member.clone()) }, rest))
        }
        _ => Some((Name { root: root.clone(), member: None }, rest)),
    }
}

pub(super) fn parse(source: &str) -> Result<Tree, ParseError> {
    let tokens = tokenize(source, limits::EXPRESSION_BYTES)?;
    let mut parser = Parser { tokens, next: 0, depth: 0, names: Vec::new(), parameters: Vec::new() };
    let root = parser.expression(0)?;
    match parser.peek() {
        Token::EOF => Ok(Tree { root, names: parser.names }),
        Token::SemiColon | Token::Equals => Err(parser.fault("an expression is one value; statements belong in a `rhai` step")),
        other => {
            let message = format!("`{other}` is not expected here");
            Err(parser.fault(message))
        }
    }
}

fn tokenizer() -> &'static rhai::Engine {
    static ENGINE: OnceLock<rhai::Engine> = OnceLock::new();
    ENGINE.get_or_init(rhai::Engine::new_raw)
}

/// The tokens of a source, each with its byte offset; the last is `EOF`.
fn tokenize(source: &str, limit: usize) -> Result<Vec<(Token, usize)>, ParseError> {
    if source.len() > limit {
        return Err(ParseError { message: format!("longer than {limit} bytes"), offset: limit });
    }
    let lines: Vec<usize> = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let sources = [source];
    let mut tokens = Vec::new();
    for (token, position) in tokenizer().lex(&sources).0 {
        let offset = byte_offset(source, &lines, position);
        match token {
            Token::EOF => break,
            Token::Comment(_) => {}
            Token::LexError(error) => return Err(ParseError { message: unread(&error), offset }),
            // Rhai reads what does not fit as a rounded number, or as a negative one.
            Token::FloatConstant(ref float) if is_whole(source, offset) || !float.0.is_finite() => {
                return Err(ParseError { message: "this number does not fit 64 bits".to_owned(), offset });
            }
            Token::IntegerConstant(i) if i < 0 && !source.get(offset..).is_some_and(|text| text.starts_with('-')) => {
                return Err(ParseError { message: "this number does not fit 64 bits".to_owned(), offset });
            }
            Token::InterpolatedString(_) => {
                return Err(ParseError {
                    message: "text with `${…}` belongs in a text field; here, add texts with `+`".into(),
                    offset,
                });
            }
            token => tokens.push((token, offset)),
        }
    }
    tokens.push((Token::EOF, source.len()));
    Ok(tokens)
}

/// What is wrong with a word, with the way out where the author likely meant something else.
fn unread(error: &rhai::LexError) -> String {
    match error {
        rhai::LexError::MalformedChar(text) => {
            let inside = text.trim_matches('\'').replace(['"', '\\'], "…");
            format!("single quotes hold one character; a text stands in double quotes: `\"{inside}\"`")
        }
        other => other.to_string(),
    }
}

/// Whether the number at `offset` is written in digits alone.
fn is_whole(source: &str, offset: usize) -> bool {
    let number = source.get(offset..).unwrap_or_default();
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let mut behind = unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').chars();
    match behind.next() {
        Some('.') => !behind.next().is_some_and(|c| c.is_ascii_digit()),
        Some('e' | 'E') => false,
        _ => true,
    }
}

/// Where a position of Rhai's stands, in bytes.
pub(super) fn byte_offset(source: &str, lines: &[usize], position: rhai::Position) -> usize {
    let start = position.line().and_then(|line| lines.get(line.saturating_sub(1))).copied().unwrap_or(0);
    let skip = position.position().unwrap_or(1).saturating_sub(1);
    source.get(start..).and_then(|rest| rest.char_indices().nth(skip)).map_or(source.len(), |(at, _)| start + at)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    depth: u16,
    names: Vec<Name>,
    /// Parameters of the closures around this place.
    parameters: Vec<String>,
}

type Parsed = Result<Node, ParseError>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::EOF, |(token, _)| token)
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |(_, offset)| *offset)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        self.next += usize::from(found);
        found
    }

    fn require(&mut self, token: &Token, why: &str) -> Result<(), ParseError> {
        if self.eat(token) { Ok(()) } else { Err(self.fault(format!("`{token}` is missing {why}"))) }
    }

    fn fault(&self, message: impl Into<String>) -> ParseError {
        ParseError { message: message.into(), offset: self.offset() }
    }

    fn node(&self, offset: usize, kind: Kind) -> Parsed {
        let mut node = Node { offset, kind, depth: 0 };
        node.depth = node.children().iter().map(|child| child.depth + 1).max().unwrap_or(0);
        if node.depth > limits::EXPRESSION_DEPTH {
            return Err(ParseError { message: "too deeply nested; name parts of it with `set`".into(), offset });
        }
        Ok(node)
    }

    /// What follows, as long as its operators bind at least as strongly as `strength`.
    fn expression(&mut self, strength: u8) -> Parsed {
        if self.depth >= limits::EXPRESSION_DEPTH {
            return Err(self.fault("too deeply nested; name parts of it with `set`"));
        }
        self.depth += 1;
        let parsed = self.binary(strength);
        self.depth -= 1;
        parsed
    }

    fn binary(&mut self, strength: u8) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let Some(binding) = strength_of(self.peek()) else { return Ok(left) };
            if binding < strength {
                return Ok(left);
            }
            let offset = self.offset();
            let token = self.advance();
            let right = self.expression(if token == Token::PowerOf { binding } else { binding + 1 })?;
            let (a, b) = (Box::new(left), Box::new(right));
            let kind = match token {
                Token::And => Kind::And(a, b),
                Token::Or => Kind::Or(a, b),
                Token::DoubleQuestion => Kind::Coalesce(a, b),
                Token::NotIn => Kind::Not(Box::new(self.node(offset, Kind::Binary(Operator::In, a, b))?)),
                token => match Operator::of(&token) {
                    Some(operator) => Kind::Binary(operator, a, b),
                    None => return Err(ParseError { message: unavailable(&token), offset }),
                },
            };
            left = self.node(offset, kind)?;
        }
    }

    fn unary(&mut self) -> Parsed {
        let offset = self.offset();
        match self.peek() {
            Token::Bang => {
                self.advance();
                let of = self.nested_unary()?;
                self.node(offset, Kind::Not(Box::new(of)))
            }
            Token::Minus | Token::UnaryMinus => {
                self.advance();
                let of = self.nested_unary()?;
                match of.kind {
                    Kind::Literal(Value::Int(i)) if i != i64::MIN => self.node(offset, Kind::Literal(Value::Int(-i))),
                    Kind::Literal(Value::Float(f)) => self.node(offset, Kind::Literal(Value::Float(-f))),
                    _ => self.node(offset, Kind::Negate(Box::new(of))),
                }
            }
            _ => {
                let primary = self.primary()?;
                self.postfix(primary)
            }
        }
    }

    fn nested_unary(&mut self) -> Parsed {
        if self.depth >= limits::EXPRESSION_DEPTH {
            return Err(self.fault("too deeply nested"));
        }
        self.depth += 1;
        let parsed = self.unary();
        self.depth -= 1;
        parsed
    }

    fn primary(&mut self) -> Parsed {
        let offset = self.offset();
        let literal = |value| Kind::Literal(value);
        let kind = match self.advance() {
            Token::IntegerConstant(i) => literal(Value::Int(i)),
            Token::FloatConstant(float) => literal(Value::Float(*float.0)),
            Token::StringConstant(text) => literal(Value::text(text.as_str())),
            Token::CharConstant(c) => literal(Value::text(c)),
            Token::True => literal(Value::Bool(true)),
            Token::False => literal(Value::Bool(false)),
            Token::Unit => literal(Value::Null),
            Token::LeftParen => {
                let inner = self.expression(0)?;
                self.require(&Token::RightParen, "to close this parenthesis")?;
                return Ok(inner);
            }
            Token::LeftBracket => {
                let mut items = Vec::new();
                while *self.peek() != Token::RightBracket {
                    items.push(self.expression(0)?);
                    if !self.eat(&Token::Comma) {
                        break;
                    }
                }
                self.require(&Token::RightBracket, "to close this list")?;
                Kind::List(items)
            }
            Token::MapStart => Kind::Map(self.entries()?),
            Token::If => return self.conditional(offset),
            Token::Identifier(name) => match self.peek() {
                Token::LeftParen | Token::Unit => {
                    let (arguments, closure) = self.arguments(&name)?;
                    return self.call(offset, &name, arguments, closure);
                }
                _ => return self.name(offset, name.to_string()),
            },
            Token::Reserved(name) if matches!(self.peek(), Token::LeftParen | Token::Unit) && name.as_str() != "eval" => {
                let (arguments, closure) = self.arguments(&name)?;
                return self.call(offset, &name, arguments, closure);
            }
            other => {
                self.next = self.next.saturating_sub(1);
                return Err(self.fault(unavailable(&other)));
            }
        };
        self.node(offset, kind)
    }

    fn name(&mut self, offset: usize, name: String) -> Parsed {
        if let Some(index) = self.parameters.iter().rposition(|parameter| *parameter == name) {
            return self.node(offset, Kind::Parameter(index));
        }
        let mut asked = Name { root: name, member: None };
        if NAMESPACES.contains(&asked.root.as_str())
            && *self.peek() == Token::Period
            && !matches!(self.tokens.get(self.next + 2), Some((Token::LeftParen | Token::Unit, _)))
        {
            self.advance();
            asked.member = Some(self.word("behind the dot")?);
        }
        let index = match self.names.iter().position(|known| *known == asked) {
            Some(index) => index,
            None => {
                self.names.push(asked);
                self.names.len() - 1
            }
        };
        self.node(offset, Kind::Name(index))
    }

    /// A name behind a dot or in a map, where keywords are names too: `result.type`.
    fn word(&mut self, why: &str) -> Result<String, ParseError> {
        let word = match self.peek() {
            Token::Identifier(name) => name.to_string(),
            Token::Reserved(name) => name.to_string(),
            Token::StringConstant(text) if why.contains("map") => text.to_string(),
            token => token.to_string(),
        };
        let quoted = matches!(self.peek(), Token::StringConstant(_)) && why.contains("map");
        let named = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if quoted || (named && *self.peek() != Token::EOF) {
            self.advance();
            Ok(word)
        } else {
            Err(self.fault(format!("a name is missing {why}")))
        }
    }

    fn entries(&mut self) -> Result<Vec<(String, Node)>, ParseError> {
        let mut entries = BTreeMap::new();
        let mut order = Vec::new();
        while *self.peek() != Token::RightBrace {
            let fault = self.fault("this name stands twice in the map");
            let key = self.word("in this map")?;
            self.require(&Token::Colon, "behind the name")?;
            let value = self.expression(0)?;
            if entries.insert(key.clone(), ()).is_some() {
                return Err(fault);
            }
            order.push((key, value));
            if !self.eat(&Token::Comma) {
                break;
            }
        }
        self.require(&Token::RightBrace, "to close this map")?;
        Ok(order)
    }

    fn conditional(&mut self, offset: usize) -> Parsed {
        let condition = Box::new(self.expression(0)?);
        let then = Box::new(self.braced()?);
        if !self.eat(&Token::Else) {
            return Err(self.fault("`if` in an expression needs an `else`"));
        }
        let otherwise = if *self.peek() == Token::If { self.expression(0)? } else { self.braced()? };
        self.node(offset, Kind::If { condition, then, otherwise: Box::new(otherwise) })
    }

    fn braced(&mut self) -> Parsed {
        self.require(&Token::LeftBrace, "before this value")?;
        let inner = self.expression(0)?;
        self.require(&Token::RightBrace, "behind this value; only one value may stand in the braces")?;
        Ok(inner)
    }

    fn postfix(&mut self, mut node: Node) -> Parsed {
        loop {
            let offset = self.offset();
            match self.peek() {
                Token::Period | Token::Elvis => {
                    let optional = self.advance() == Token::Elvis;
                    let offset = self.offset();
                    let name = self.word("behind the dot")?;
                    node = if matches!(self.peek(), Token::LeftParen | Token::Unit) {
                        if optional {
                            return Err(self.fault("`?.` reads a member; call functions with `.`"));
                        }
                        let (mut arguments, closure) = self.arguments(&name)?;
                        arguments.insert(0, node);
                        self.call(offset, &name, arguments, closure)?
                    } else {
                        self.node(offset, Kind::Member { of: Box::new(node), name, optional })?
                    };
                }
                Token::LeftBracket | Token::QuestionBracket => {
                    let optional = self.advance() == Token::QuestionBracket;
                    let at = Box::new(self.expression(0)?);
                    self.require(&Token::RightBracket, "to close this index")?;
                    node = self.node(offset, Kind::Index { of: Box::new(node), at, optional })?;
                }
                _ => return Ok(node),
            }
        }
    }

    /// `(a, b)`, the last of which may be a closure where the function takes one.
    fn arguments(&mut self, name: &str) -> Result<(Vec<Node>, Option<Box<Node>>), ParseError> {
        let mut arguments = Vec::new();
        if self.eat(&Token::Unit) {
            return Ok((arguments, None));
        }
        self.require(&Token::LeftParen, "before the arguments")?;
        while *self.peek() != Token::RightParen {
            if *self.peek() == Token::Pipe {
                let body = self.closure(name)?;
                self.eat(&Token::Comma);
                self.require(&Token::RightParen, "behind the closure, which is the last argument")?;
                return Ok((arguments, Some(Box::new(body))));
            }
            arguments.push(self.expression(0)?);
            if !self.eat(&Token::Comma) {
                break;
            }
        }
        self.require(&Token::RightParen, "behind the arguments")?;
        Ok((arguments, None))
    }

    fn closure(&mut self, function: &str) -> Parsed {
        if !Function::named(function).is_some_and(|known| known.takes_closure()) {
            return Err(self.fault(format!("`{function}` takes no closure")));
        }
        if self.parameters.len() >= limits::CLOSURE_DEPTH {
            return Err(self.fault("closures nest two deep at most; name parts of it with `set`"));
        }
        self.require(&Token::Pipe, "before the closure's parameter")?;
        let parameter = match self.advance() {
            Token::Identifier(name) => name.to_string(),
            _ => return Err(self.fault("a closure has one parameter: `|item| …`")),
        };
        self.require(&Token::Pipe, "behind the closure's one parameter")?;
        self.parameters.push(parameter);
        let body = self.expression(0);
        self.parameters.pop();
        body
    }

    fn call(&mut self, offset: usize, name: &str, arguments: Vec<Node>, closure: Option<Box<Node>>) -> Parsed {
        let fault = |message| Err(ParseError { message, offset });
        let Some(function) = Function::named(name) else {
            let near = super::nearest(name, Function::names()).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            return fault(format!("there is no function `{name}`{near}"));
        };
        let count = arguments.len() + usize::from(closure.is_some());
        if !function.arguments.contains(&count) {
            return fault(format!("`{name}` is used as `{}`", function.usage));
        }
        if function.takes_closure() != closure.is_some() {
            return fault(format!("`{name}` needs a closure: `{}`", function.usage));
        }
        self.node(offset, Kind::Call { function, arguments, closure })
    }
}

/// How strongly an operator binds: Rhai's own numbers.
fn strength_of(token: &Token) -> Option<u8> {
    match token {
        Token::EOF => None,
        token => token.precedence().map(|precedence| precedence.get()),
    }
}

fn unavailable(token: &Token) -> String {
    match token {
        Token::EOF => "a value is missing at the end".to_owned(),
        Token::Ampersand => "`&` is not available; write `&&`".to_owned(),
        Token::Pipe => "`|` is not available; write `||`, or a closure inside `filter`, `map`, `any`, `all`".to_owned(),
        Token::ExclusiveRange | Token::InclusiveRange => "ranges are not available in expressions".to_owned(),
        Token::Reserved(word) if word.as_str() == "null" || word.as_str() == "nil" => "nothing is written `()`".to_owned(),
        Token::Reserved(word) if word.as_str() == "eval" => "`eval` is not available".to_owned(),
        Token::While | Token::For | Token::Loop | Token::Do | Token::Let | Token::Const | Token::Switch | Token::Import => {
            format!("`{token}` is a statement; an expression is one value, and statements belong in a `rhai` step")
        }
        token => format!("`{token}` is not expected here"),
    }
}
