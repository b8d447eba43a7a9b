//! Text that a template engine left as it was, since its author misspelt a variable or sent the mail past the engine. Taken for
//! a value it would put `{{ customer.email }}` into a letter.

use memchr::memmem;

/// Signs that open and close a placeholder in the middle of a text, and nothing else in an order mail.
const PAIRS: &[(&str, &str)] = &[
    ("{{", "}}"),         // Liquid, Twig, Jinja, Handlebars, Mustache, Magento, Angular
    ("{%", "%}"),         // Liquid, Twig, Jinja
    ("{#", "}"),          // Twig's comments, Freemarker
    ("{!", "}"),          // Salesforce
    ("{$", "}"),          // Smarty, Latte
    ("${", "}"),          // Freemarker, Velocity, JSP, JavaScript
    ("#{", "}"),          // Ruby, JSF
    ("@{", "}"),          // Thymeleaf
    ("%{", "}"),          // Struts, Puppet
    ("<%", "%>"),         // ERB, EJS, ASP, JSP
    ("<?", "?>"),         // PHP
    ("[[", "]]"),         // MODX, AngularJS with other signs
    ("[%", "%]"),         // Template Toolkit
    ("%%", "%%"),         // Salesforce Marketing Cloud
    ("##", "##"),         // Shopware 4 and others
    ("@@", "@@"),         // in-house engines
    ("*|", "|*"),         // Mailchimp, Mandrill
    ("<<", ">>"),         // Word and mail merge
    ("\u{ab}", "\u{bb}"), // mail merge; French quotes, which have a blank or many words inside
];

/// Bytes of a placeholder within a longer text.
const LONGEST: usize = 200;

/// What a program prints for a value that it does not have.
const NOTHINGS: &[&str] =
    &["undefined", "undefined undefined", "null", "null null", "none", "none none", "(null)", "nan", "[object object]"];

/// Whether a template engine left this text as it was: `{{ order.id }}`, `%ORDER%`, `[email]`, `$ORDER_ID`, `*|NAME|*`.
pub(super) fn is_unfilled(text: &str) -> bool {
    let text = text.trim();
    if !text.contains(['{', '%', '[', '$', '#', '@', '*', '<', '_', '-', '\u{ab}']) {
        return NOTHINGS.iter().any(|nothing| nothing.eq_ignore_ascii_case(text));
    }
    let paired = PAIRS.iter().any(|(open, close)| {
        let Some((_, rest)) = text.split_once(open) else { return false };
        // A value may have been cut off inside of the placeholder.
        let inside = rest.split_once(close).map_or(rest, |(inside, _)| inside);
        match *open {
            "{{" | "{%" | "<%" | "<?" | "[[" => true,
            _ => rest.contains(close) && variable(inside),
        }
    });
    paired || braces(text) || percents(text) || whole(text) || NOTHINGS.iter().any(|n| n.eq_ignore_ascii_case(text))
}

/// The first placeholder in a longer text, of those whose signs stand in no sentence.
pub(super) fn first_in(text: &str) -> Option<&str> {
    let signs = [("{{", "}}"), ("{%", "%}"), ("*|", "|*"), ("<%=", "%>"), ("${", "}")];
    let found = signs.iter().filter_map(|(open, close)| {
        let find = |text: &str, sign: &str| memmem::find(text.as_bytes(), sign.as_bytes());
        let at = find(text, open)?;
        let end = find(&text[at + open.len()..], close)? + open.len() + close.len();
        (end <= LONGEST).then(|| &text[at..at + end])
    });
    found.min_by_key(|found| found.as_ptr())
}

/// Whether `text` is what engines call a variable: letters first, no blank within, dots, arrows and filters allowed.
fn variable(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['$', '@', '=', '-', '!']).trim_start();
    let path = text.split(['|', '(', '!']).next().unwrap_or_default().trim_end();
    path.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "_.-:>[]'\"".contains(c))
}

/// `{order_name}` (PrestaShop, Python) and `{0}` (.NET) anywhere.
fn braces(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        if let Some((inside, _)) = after.split_once('}')
            && (variable(inside) || (1..=2).contains(&inside.len()) && inside.bytes().all(|b| b.is_ascii_digit()))
        {
            return true;
        }
        rest = after;
    }
    false
}

/// `%ORDER_ID%` anywhere, and the `%s`, `%1$s` and `%(name)s` of `printf`; but not `50% off`, nor `%C3%A9` of an address.
fn percents(text: &str) -> bool {
    if text.contains("://") {
        return false;
    }
    let mut rest = text;
    let mut before = ' ';
    while let Some((head, after)) = rest.split_once('%') {
        before = head.chars().next_back().unwrap_or(before);
        let name = after.split('%').next().filter(|name| name.len() < after.len()).unwrap_or_default();
        let octet = name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let variable = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.len() > 1
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if variable && !octet {
            return true;
        }
        let spec = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let spec = if spec.len() < after.len() { spec.strip_prefix('$') } else { Some(after) };
        let named = after.strip_prefix('(').and_then(|named| named.split_once(')')).map(|(_, spec)| spec);
        let printed = |spec: &str| {
            let mut chars = spec.chars();
            matches!(chars.next(), Some('s' | 'd')) && !chars.next().is_some_and(char::is_alphanumeric)
        };
        if !before.is_alphanumeric() && (spec.is_some_and(printed) || named.is_some_and(printed)) {
            return true;
        }
        (rest, before) = (after, '%');
    }
    false
}

/// Forms that count only when the text is nothing else, since the same signs stand in real values: `[Size M]`, `$50`, `#1001`.
fn whole(text: &str) -> bool {
    let within =
        |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close).filter(|inside| !inside.is_empty());
    let words = |inside: &str| inside.chars().all(|c| c.is_ascii_alphanumeric() || "_.-:".contains(c));
    let named = |inside: &str| {
        let marked = inside.contains(['_', '.', ':']) || inside.chars().any(|c| c.is_ascii_lowercase());
        let digits = inside.chars().any(|c| c.is_ascii_digit());
        words(inside) && inside.starts_with(|c: char| c.is_ascii_alphabetic()) && (marked || !digits)
    };
    // `[order_id]` and the shortcodes `[wc_order id]`, but not `[Size M]`.
    let shortcode = |inside: &str| inside.split(' ').next().is_some_and(|word| word.contains('_') && words(word));
    if within("[", "]").is_some_and(|inside| named(inside) || shortcode(inside)) {
        return true;
    }
    if within("<", ">").is_some_and(|inside| inside.contains('_') && words(inside)) {
        return true;
    }
    // `#ORDER_ID#` (Bitrix), `__name__`, `-firstname-` (SendGrid): the second needs its two signs.
    let enclosed = [("#", "#"), ("__", "__"), ("-", "-"), ("@", "@")];
    if enclosed.iter().any(|(open, close)| within(open, close).is_some_and(named)) {
        return true;
    }
    // `$ORDER_ID`, `$order->id`, `$name`.
    text.strip_prefix('$').is_some_and(|name| name.len() > 1 && variable(name) && !name.starts_with(['$', '@', '=']))
}

#[cfg(test)]
mod tests {
    use super::{first_in, is_unfilled};

    #[test]
    fn placeholders_are_found_in_sentences() {
        for (text, found) in [
            ("Order {{ order.number }} of *|NAME|*", Some("{{ order.number }}")),
            ("Dear *|NAME|*, order {{ x }}", Some("*|NAME|*")),
            ("Total ${total}", Some("${total}")),
            ("Order <%= order.number %>.", Some("<%= order.number %>")),
            ("50% off {today} *only* | $5 }", None),
            ("{{ and no end", None),
            ("", None),
        ] {
            assert_eq!(first_in(text), found, "{text}");
        }
        assert_eq!(first_in(&format!("{{{{{}}}}}", "x".repeat(200))), None);
    }

    #[test]
    fn what_an_engine_left_is_known_in_every_dialect() {
        for text in [
            "{{ order.id }}",
            "Order {{order.increment_id}}",
            "{{customer_email",
            "{{var order.getCustomerName()}}",
            "{{{name}}}",
            "{% if x %}",
            "{$order.ordernumber}",
            "{$customer->email|escape}",
            "{order_name}",
            "Order {order_name}",
            "{firstname} {lastname}",
            "{0}",
            "{!Order.OrderNumber}",
            "{#order}",
            "${name}",
            "${order.email!''}",
            "#{order.id}",
            "@{order}",
            "%{order}",
            "<%= order.number %>",
            "<?= $order->id ?>",
            "<?php echo $id; ?>",
            "[[x]]",
            "[[+order.email]]",
            "[% name %]",
            "[customer]",
            "[order_id]",
            "[ORDER_ID]",
            "[NAME]",
            "[your-name]",
            "[wc_order id]",
            "%ORDER_ID%",
            "Order %order.number% of",
            "%%email%%",
            "%%=v(@email)=%%",
            "%s",
            "Order %s",
            "%1$s",
            "%d",
            "%(name)s",
            "##ORDER##",
            "#ORDER_ID#",
            "@@order@@",
            "@order_id@",
            "*|FNAME|*",
            "*|ORDER:ID|*",
            "<<name>>",
            "<order_id>",
            "\u{ab}Name\u{bb}",
            "$ORDER_ID",
            "$order->id",
            "$email",
            "__name__",
            "-firstname-",
            "undefined",
            "undefined undefined",
            "null",
            "None",
            "NaN",
            "[object Object]",
            "  {{ x }}  ",
        ] {
            assert!(is_unfilled(text), "{text}");
        }
    }

    #[test]
    fn values_with_the_same_signs_are_values() {
        for text in [
            "",
            "50% off",
            "50% off 20% more",
            "100% Silk",
            "100 %silk",
            "100%d",
            "a [b] c",
            "[Size M]",
            "[A123]",
            "[12345]",
            "[Sale 2]",
            "#1001",
            "#1001#",
            "$50",
            "$50.00",
            "A$AP Rocky",
            "$uicideboy$",
            "https://shop.example/%C3%A9t%C3%A9?a=%20b%20",
            "%C3%A9%",
            "T-shirt {2 pack}",
            "Smile :-} {",
            "5 * 3 | 2",
            "A-1",
            "-",
            "--",
            "- A 1 -",
            "-12-",
            "_A_1_",
            "__1__",
            "a@b.example",
            "@home",
            "C# {Grundlagen} f\u{fc}r alle",
            "Sean O'Connor",
            "Nullmeier",
            "Jennifer Null",
            "\u{ab} Le petit prince \u{bb}",
            "<3",
            "<b>",
            "##",
            "1 ## 2 ## 3",
            "@@",
            "%",
            "%%",
            "[]",
            "{}",
        ] {
            // A word in braces is what PrestaShop's variables look like: no shop's product has one in the lists looked at.
            assert_eq!(is_unfilled(text), text.contains("{Grundlagen}"), "{text}");
        }
    }
}
