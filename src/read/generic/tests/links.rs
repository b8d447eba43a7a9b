//! What the links of a mail say about its reference: nothing by themselves, but they may agree with the subject.

use super::*;

fn link(parameter: &str) -> String {
    format!("<p>Thanks!</p><p><a href=\"https://kanne.example/view?{parameter}\">Look</a></p>")
}

#[test]
fn a_number_in_subject_and_link_is_the_orders_and_in_one_of_them_it_is_not() {
    each(
        &[
            (("Kanne 48213", link("order_number=48213")), Some("48213".to_owned())),
            (("Thanks! E7D10188", link("a=1&amp;order_id=E7D10188&amp;key=p_97")), Some("E7D10188".to_owned())),
            (("Kanne 48213", link("order_number=48220")), None),
            (("Kanne 48213", link("customer_number=48213")), None),
            (("Kanne 48213", link("preorder=48213")), None),
            (("Kanne 48213", "<p>Thanks!</p>".to_owned()), None),
            (("Kanne", link("order_number=48213")), None),
            (("Kanne 12 48213", link("orderid=48213")), Some("48213".to_owned())),
            // What a word marks needs no link, and none talks it away.
            (("Your order 48213", link("order_number=77381")), Some("48213".to_owned())),
            // A code without digits, which one place names, may be a shouted word.
            (("Your order QWXZKDPLM is here", link("order=QWXZKDPLM")), Some("QWXZKDPLM".to_owned())),
            (("Your order QWXZKDPLM is here", link("order=ABCDEFGHI")), None),
            (("Save 48.20 today", link("order_id=48.20")), None),
            (("Sale until 2026-08-30", link("order=2026-08-30")), None),
        ],
        |(subject, body)| Made::of(&html(subject, body)).reference(),
    );
}
