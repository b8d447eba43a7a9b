//! The environment that templates run in: a misspelt variable is an error, values are always escaped where they become HTML, and
//! a loop ends.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// Steps that one template may take. The shipped ones take some hundreds or thousands; a loop without end is stopped.
const FUEL: u64 = 100_000;

/// An environment in which the templates that `is_html` names make HTML.
pub(super) fn environment(is_html: fn(&str) -> bool) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    // The builder only refuses delimiters, and these are the usual ones.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        env.set_syntax(syntax);
    }
    env.set_auto_escape_callback(move |name| if is_html(name) { AutoEscape::Html } else { AutoEscape::None });
    // No template may declare a customer's name to be HTML, nor quote it in a way that HTML does not know.
    env.remove_filter("safe");
    env.remove_filter("tojson");
    env.set_formatter(move |out, state, value| {
        // By the file's name and not by the state, which `{% autoescape false %}` would change.
        if !is_html(state.name()) || value.is_safe() {
            return minijinja::escape_formatter(out, state, value);
        }
        // The built-in escaping also turns every slash into an entity, and spam filters take a link of entities for a disguise.
        for c in value.to_string().chars() {
            match c {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                c => write!(out, "{c}")?,
            }
        }
        Ok(())
    });
    env
}
