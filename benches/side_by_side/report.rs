//! The figures as tables for people and as JSON for programs.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::client_check::Check;
use crate::door::{Cell, Fsyncs};
use crate::idle::Idle;
use crate::machine::Machine;
use crate::out::Out;
use crate::peers::Missing;
use crate::queue::Queue;
use crate::rate::AtRate;
use crate::read::Read;
use crate::read_curve::Curve;
use crate::whole::Whole;
use crate::{door_report, figures, out_report, queue_report, read_report};

/// What was measured; a part that was not asked for is empty.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) missing: Vec<Missing>,
    pub(crate) door: Vec<Cell>,
    pub(crate) fsyncs: Vec<Fsyncs>,
    pub(crate) rate: Vec<AtRate>,
    pub(crate) whole: Vec<Whole>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) check: Vec<Check>,
    pub(crate) out: Option<Out>,
    pub(crate) queue: Option<Queue>,
    pub(crate) read: Option<Read>,
    pub(crate) curve: Option<Curve>,
}

impl Report {
    /// One with nothing in it yet.
    pub(crate) fn new(machine: Machine, missing: Vec<Missing>) -> Self {
        Self {
            machine,
            missing,
            door: Vec::new(),
            fsyncs: Vec::new(),
            rate: Vec::new(),
            whole: Vec::new(),
            idle: Vec::new(),
            check: Vec::new(),
            out: None,
            queue: None,
            read: None,
            curve: None,
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "machine": self.machine,
            "not_measured": self.missing,
            "door": { "cells": self.door, "fsyncs": self.fsyncs },
            "rate": self.rate,
            "whole": self.whole,
            "idle": self.idle,
            "client": self.check,
            "out": self.out,
            "out_to_reach": self.out.as_ref().map(out_report::to_reach),
            "queue": self.queue,
            "read": self.read,
            "read_curve": self.curve,
            "figures": figures::of(self),
        })
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "\n{} cores ({}), Linux {}, write and fdatasync {:.2} ms, load before {}, Postfix {}\n",
            machine.cores,
            machine.processor,
            machine.kernel,
            machine.fdatasync_ms,
            machine.load_before,
            machine.postfix
        );
        for missing in &self.missing {
            let _ = writeln!(text, "{} NOT MEASURED: {}", missing.server, missing.why);
        }
        text += &door_report::tables(self);
        if let Some(out) = &self.out {
            text += &out_report::text(out);
        }
        if let Some(queue) = &self.queue {
            text += &queue_report::text(queue);
        }
        text += &self.read.as_ref().map(read_report::text).unwrap_or_default();
        text += &self.curve.as_ref().map(read_report::curve).unwrap_or_default();
        let figures = figures::of(self);
        if !figures.is_empty() {
            let mut table = table(&["figure", "found", "aim", ""]);
            table.add_rows(figures.iter().map(figures::Figure::line));
            let _ = writeln!(text, "\nFigures to reach\n{table}");
        }
        text
    }
}

/// A table with everything to the right.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(head);
    table.column_iter_mut().for_each(|column| {
        column.set_cell_alignment(CellAlignment::Right);
    });
    table
}

/// Bytes as people read memory.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1024.0 / 1024.0)
}
