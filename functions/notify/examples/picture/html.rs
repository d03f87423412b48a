//! Blocks as a page.

use serde_json::Value;
use wharf_notify::Message;

/// A message to show.
pub(crate) struct Shown {
    name: Option<String>,
    body: Value,
}

impl Shown {
    pub(crate) fn new(name: &str, message: &Message) -> Self {
        Self { name: Some(name.to_owned()), body: message.body() }
    }

    pub(crate) fn reply(message: &Message) -> Self {
        Self { name: None, body: message.body() }
    }
}

const STYLE: &str = "
body { font: 15px/1.46668 Lato, 'Noto Color Emoji', sans-serif; color: #1d1c1d; margin: 0; background: #fff; width: 740px }
.name { color: #bbb; font-size: 11px; padding: 10px 20px 0 64px }
.message { padding: 4px 20px 8px 64px; position: relative }
.message::before { content: '⚓'; position: absolute; left: 20px; top: 8px; width: 36px; height: 36px; border-radius: 6px;
  background: #1264a3; color: #fff; text-align: center; line-height: 36px }
.reply { margin-left: 44px; border-left: 2px solid #e8e8e8; padding-left: 16px }
.reply::before { display: none }
.who { font-weight: 900 } .app { font-size: 10px; background: #e8e8e8; color: #616061; padding: 1px 3px; border-radius: 2px }
h1 { font-size: 18px; line-height: 1.33334; font-weight: 900; margin: 4px 0 }
.section { margin: 4px 0; white-space: pre-wrap; overflow-wrap: anywhere }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin: 8px 0 }
.fields div { white-space: pre-wrap; overflow-wrap: anywhere }
.context { font-size: 13px; color: #616061; margin: 6px 0; overflow-wrap: anywhere }
pre { font: 12px/1.50001 Monaco, Menlo, monospace; border: 1px solid #ddd; border-radius: 4px; background: #f8f8f8;
  padding: 8px; margin: 4px 0; white-space: pre-wrap; overflow-wrap: anywhere }
code { font: 12px Monaco, Menlo, monospace; color: #e01e5a; background: #f8f8f8; border: 1px solid #ddd; border-radius: 3px;
  padding: 1px 3px }
a { color: #1264a3; text-decoration: none } .mention { background: #fdf2d0; color: #1264a3; padding: 0 2px }
";

/// A page with messages as Slack shows them.
pub(crate) fn page(messages: &[Shown]) -> String {
    let shown: String = messages.iter().map(message).collect();
    format!("<!doctype html><meta charset='utf-8'><title>Slack</title><style>{STYLE}</style>{shown}")
}

fn message(shown: &Shown) -> String {
    let blocks = shown.body.get("blocks").and_then(Value::as_array);
    let content: String = match blocks {
        Some(blocks) => blocks.iter().map(block).collect(),
        None => format!("<div class=section>{}</div>", markdown(text(&shown.body))),
    };
    match &shown.name {
        Some(name) => format!(
            "<div class=name>{name}</div><div class=message><span class=who>wharf</span> <span class=app>APP</span>{content}</div>"
        ),
        None => format!("<div class='message reply'>{content}</div>"),
    }
}

fn text(value: &Value) -> &str {
    value.get("text").and_then(Value::as_str).unwrap_or_default()
}

fn block(block: &Value) -> String {
    let object = |object: &Value| match object.get("type").and_then(Value::as_str) {
        Some("plain_text") => text(object).to_owned(),
        _ => markdown(text(object)),
    };
    let list = |name: &str| block.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    match block.get("type").and_then(Value::as_str).unwrap_or_default() {
        "header" => format!("<h1>{}</h1>", block.get("text").map(text).unwrap_or_default()),
        "section" => {
            let said = block.get("text").map(|said| format!("<div class=section>{}</div>", object(said)));
            let fields: String = list("fields").iter().map(|field| format!("<div>{}</div>", object(field))).collect();
            let fields = if fields.is_empty() { fields } else { format!("<div class=fields>{fields}</div>") };
            format!("{}{fields}", said.unwrap_or_default())
        }
        "context" => {
            let elements: Vec<String> = list("elements").iter().map(object).collect();
            format!("<div class=context>{}</div>", elements.join(" "))
        }
        other => format!("<div class=section>[{other}]</div>"),
    }
}

/// Slack's markup as HTML. Its escapes are HTML's own, so that text needs none.
fn markdown(text: &str) -> String {
    let mut parts = text.split("```");
    let mut out = inline(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        out.push_str(&format!("<pre>{}</pre>", code.trim_matches('\n')));
        out.push_str(&inline(parts.next().unwrap_or_default()));
    }
    out
}

fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(&marked(before));
        let (inner, after) = after.split_once('>').unwrap_or((after, ""));
        out.push_str(&angled(inner));
        rest = after;
    }
    out.push_str(&marked(rest));
    out
}

/// What stands between `<` and `>`: a link, a date, a mention.
fn angled(inner: &str) -> String {
    let (target, label) = inner.split_once('|').unwrap_or((inner, inner));
    if target.starts_with("!date^") {
        return label.to_owned();
    }
    if target.starts_with('!') || target.starts_with('@') {
        return format!("<span class=mention>@{}</span>", target.trim_start_matches(['!', '@']));
    }
    format!("<a href='{}'>{label}</a>", target.replace('\'', "%27"))
}

/// Bold, and code in a line. A sign counts at the edge of a word.
fn marked(text: &str) -> String {
    let text = paired(text, '`', "code");
    paired(&text, '*', "b")
}

fn paired(text: &str, sign: char, tag: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(sign) {
        out.push_str(before);
        let edge = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        match after.split_once(sign) {
            Some((inner, after)) if edge && !inner.is_empty() && !inner.contains('\n') => {
                out.push_str(&format!("<{tag}>{inner}</{tag}>"));
                rest = after;
            }
            _ => {
                out.push(sign);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
