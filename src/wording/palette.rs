//! The shop's colour, and shades of it that can be read: WCAG 2.2 asks for a contrast of 4.5 for text and 3 for large signs.

use minijinja::{Value, context};

/// An sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color([u8; 3]);

/// What letters and pages stand on: the card by day and by night, as in `layout.mjml` and `style.css`.
const DAY: Color = Color([0xff, 0xff, 0xff]);
const NIGHT: Color = Color([0x1d, 0x22, 0x29]);
/// True black: with anything lighter there are colours on which neither it nor white reaches 4.5.
const INK: Color = Color([0, 0, 0]);
/// The colour of text by night.
const PALE: Color = Color([0xe6, 0xe9, 0xed]);
const WHITE: Color = Color([0xff, 0xff, 0xff]);

const TEXT: f64 = 4.5;
const SIGN: f64 = 3.0;
/// A button this far from the card is seen to be one; its text is what has to be read.
const VISIBLE: f64 = 1.25;

/// The colours of a letter or a page, `#rrggbb` each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Palette {
    /// The shop's colour as text by day.
    accent: String,
    /// The stars by day.
    star: String,
    /// The button by day: the shop's colour where it can be seen, and what is written on it.
    button: String,
    on_button: String,
    /// The shop's colour as text and stars by night.
    night_accent: String,
    /// The button by night, and what is written on it.
    night_button: String,
    night_on_button: String,
}

impl Palette {
    /// The shades of the shop's colour.
    pub(crate) fn of(brand: Color) -> Self {
        // A grey has no hue to keep: by night a black brand becomes white, not a grey in the middle.
        let by_night = if brand.is_grey() && brand.contrast(NIGHT) < TEXT { PALE } else { brand };
        let night_button = by_night.against(NIGHT, SIGN);
        let button = brand.against(DAY, VISIBLE);
        Self {
            accent: brand.against(DAY, TEXT).css(),
            star: brand.against(DAY, SIGN).css(),
            button: button.css(),
            on_button: button.ink().css(),
            night_accent: by_night.against(NIGHT, TEXT).css(),
            night_button: night_button.css(),
            night_on_button: night_button.ink().css(),
        }
    }

    /// The colours by name, for templates.
    pub(crate) fn into_value(self) -> Value {
        context! {
            accent => self.accent,
            star => self.star,
            button => self.button,
            on_button => self.on_button,
            night_accent => self.night_accent,
            night_button => self.night_button,
            night_on_button => self.night_on_button,
        }
    }
}

impl Color {
    /// Reads `#rrggbb`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let number = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
        Some(Self([number[1], number[2], number[3]]))
    }

    fn css(self) -> String {
        let [r, g, b] = self.0;
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// WCAG 2.2 relative luminance, 0 to 1.
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// WCAG 2.2 contrast ratio, 1 to 21.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// White or black, whichever can be read on this colour; white when both can.
    fn ink(self) -> Self {
        if self.contrast(WHITE) >= TEXT || self.contrast(WHITE) >= self.contrast(INK) { WHITE } else { INK }
    }

    /// The shade nearest to this colour that has the contrast `least` against `ground`: darker by day, lighter by night. Hue and
    /// saturation stay, so that a green does not turn grey.
    fn against(self, ground: Self, least: f64) -> Self {
        let day = ground.luminance() > 0.5;
        let lightness = self.lightness();
        let end = if day { 0.0 } else { 1.0 };
        (0..=100)
            .map(|step| {
                if step == 0 {
                    self
                } else {
                    self.with_lightness(lightness + (end - lightness) * f64::from(step) / 100.0)
                }
            })
            .find(|shade| shade.contrast(ground) >= least)
            .unwrap_or(if day { INK } else { WHITE })
    }

    fn is_grey(self) -> bool {
        let [low, _, high] = self.sorted();
        high - low < 0.06
    }

    /// Lightness in HSL, 0 to 1.
    fn lightness(self) -> f64 {
        let [low, _, high] = self.sorted();
        (low + high) / 2.0
    }

    /// The colour of the same hue and saturation (HSL) with another lightness.
    fn with_lightness(self, lightness: f64) -> Self {
        let [low, _, high] = self.sorted();
        let room = |lightness: f64| 1.0 - (2.0 * lightness - 1.0).abs();
        let before = self.lightness();
        let chroma = if room(before) > 0.0 { (high - low) / room(before) * room(lightness) } else { 0.0 };
        Self(self.0.map(|channel| {
            // Where the channel stands between the weakest and the strongest; that is what hue is.
            let share = if high > low { (f64::from(channel) / 255.0 - low) / (high - low) } else { 0.5 };
            let value = lightness + (share - 0.5) * chroma;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to 0..=255 just before"
            )]
            let byte = (value * 255.0).round().clamp(0.0, 255.0) as u8;
            byte
        }))
    }

    /// The channels from weakest to strongest, 0 to 1.
    fn sorted(self) -> [f64; 3] {
        let mut channels = self.0;
        channels.sort_unstable();
        channels.map(|channel| f64::from(channel) / 255.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        let color = |text| Color::parse(text).unwrap();
        assert!((color("#000000").contrast(color("#ffffff")) - 21.0).abs() < 1e-9);
        assert!((color("#777777").contrast(color("#ffffff")) - 4.48).abs() < 0.01);
        for bad in ["", "1f6f54", "#1f6f5", "#1f6f544", "#1f6f5g", "#+12345", "red"] {
            assert_eq!(Color::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_colour_that_can_be_read_is_left_alone() {
        let palette = Palette::of(Color::parse("#1f6f54").unwrap());
        assert_eq!(
            (palette.accent.as_str(), palette.star.as_str(), palette.on_button.as_str()),
            ("#1f6f54", "#1f6f54", "#ffffff")
        );
        assert_eq!(palette.night_accent, "#2b9a75", "lighter, but as green as before");
    }

    #[test]
    fn black_and_white_brands_have_buttons_that_are_seen() {
        let palette = |text| Palette::of(Color::parse(text).unwrap());
        assert_eq!(
            (palette("#101010").night_button.as_str(), palette("#101010").night_on_button.as_str()),
            ("#e6e9ed", "#000000")
        );
        assert_eq!(
            (palette("#ffffff").button.as_str(), palette("#ffffff").night_button.as_str()),
            ("#e3e3e3", "#ffffff")
        );
    }

    #[test]
    fn every_brand_colour_gives_a_letter_that_can_be_read() {
        let steps = [0u8, 51, 102, 153, 204, 255];
        for r in steps {
            for g in steps {
                for b in steps {
                    let brand = Color([r, g, b]);
                    let palette = Palette::of(brand);
                    let color = |text: &str| Color::parse(text).unwrap();
                    for (what, front, back, least) in [
                        ("accent", &palette.accent, DAY, TEXT),
                        ("star", &palette.star, DAY, SIGN),
                        ("on button", &palette.on_button, color(&palette.button), TEXT),
                        ("night accent", &palette.night_accent, NIGHT, TEXT),
                        ("night button", &palette.night_button, NIGHT, SIGN),
                        ("on night button", &palette.night_on_button, color(&palette.night_button), TEXT),
                    ] {
                        let contrast = color(front).contrast(back);
                        assert!(contrast >= least, "{what} of {}: {contrast}", brand.css());
                    }
                }
            }
        }
    }
}
