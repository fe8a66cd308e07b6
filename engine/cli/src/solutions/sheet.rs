//! A spreadsheet as it came: headings and cells, each with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use calamine::{Data, Reader, Xlsx, XlsxError};

use super::Kind;
use crate::Trouble;

/// How large a sheet may be; a catalogue of solutions has three columns, and a row for each solution.
const MOST_COLUMNS: usize = 1000;
const MOST_ROWS: usize = 100_000;

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Nothing, or nothing but spaces.
    Empty,
    /// Text, without spaces around it.
    Text(String),
    /// Something that is no text: what it is, and how it looks.
    Other(&'static str, String),
}

impl Cell {
    fn text(text: &str) -> Self {
        match text.trim() {
            "" => Self::Empty,
            text => Self::Text(text.to_owned()),
        }
    }

    fn of(data: &Data) -> Self {
        match data {
            Data::Empty => Self::Empty,
            Data::String(text) => Self::text(text),
            Data::Int(number) => Self::Other("a number", number.to_string()),
            Data::Float(number) => Self::Other("a number", number.to_string()),
            Data::Bool(value) => Self::Other("a truth value", value.to_string().to_uppercase()),
            Data::DateTime(date) => Self::Other("a date", date.as_f64().to_string()),
            Data::DateTimeIso(text) => Self::Other("a date", text.clone()),
            Data::DurationIso(text) => Self::Other("a duration", text.clone()),
            Data::Error(error) => Self::Other("an error", error.to_string()),
        }
    }
}

/// A row of a sheet.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its number, as the program that shows the file counts: rows of a sheet, lines of a text.
    pub(super) number: u64,
    /// Its cells, as many as there are headings or fewer.
    pub(super) cells: Vec<Cell>,
}

/// A sheet with something in it.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// The file, and the sheet where the file has several.
    pub(super) place: Place,
    /// The first row.
    pub(super) headings: Vec<Cell>,
    /// The others, without those that are empty.
    pub(super) rows: Vec<Row>,
}

/// Where rows stand.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: String,
    /// Name of the sheet; none of a text file.
    pub(super) sheet: Option<String>,
}

impl Place {
    /// What its rows are called.
    pub(super) fn row(&self) -> &'static str {
        if self.sheet.is_some() { "row" } else { "line" }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sheet {
            Some(sheet) => write!(f, "{}, sheet `{sheet}`", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Reads a spreadsheet: of a workbook the sheet named, or else the first.
///
/// # Errors
/// A file that cannot be read, is of another kind, or holds nothing.
pub(super) fn read(path: &Path, sheet: Option<&str>) -> Result<Sheet, Trouble> {
    let file = path.display().to_string();
    let kind = Kind::of(path)?;
    let bytes =
        std::fs::read(path).map_err(|error| Trouble::new(format!("the file `{file}` cannot be read: {error}")))?;
    let (place, mut rows) = if kind == Kind::Workbook {
        workbook(file, bytes, sheet)?
    } else if sheet.is_some() {
        return Err(Trouble::new(format!("`{file}` is text and has no sheets; leave out `--sheet`")));
    } else {
        (Place { file: file.clone(), sheet: None }, lines(&file, &bytes)?)
    };
    rows.retain(|row| row.cells.iter().any(|cell| *cell != Cell::Empty));
    if rows.is_empty() {
        return Err(Trouble::new(format!("{place} is empty; expected a row of headings, and a row for each solution")));
    }
    let headings = rows.remove(0).cells;
    Ok(Sheet { place, headings, rows })
}

fn workbook(file: String, bytes: Vec<u8>, wanted: Option<&str>) -> Result<(Place, Vec<Row>), Trouble> {
    let damaged = no_workbook(&file, &"a cell is beyond every sheet");
    // The library counts columns without looking at how many there are, and panics at those of a damaged file.
    catch_unwind(AssertUnwindSafe(|| cells_of(file, bytes, wanted))).unwrap_or(Err(damaged))
}

fn no_workbook(file: &str, why: &dyn fmt::Display) -> Trouble {
    Trouble::new(format!(
        "`{file}` is no workbook that can be read ({why}); open it in Excel and save it as .xlsx or as CSV UTF-8"
    ))
}

fn cells_of(file: String, bytes: Vec<u8>, wanted: Option<&str>) -> Result<(Place, Vec<Row>), Trouble> {
    let wrong = |error: XlsxError| no_workbook(&file, &error);
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(wrong)?;
    let names = book.sheet_names();
    let name = match wanted {
        None => names.first().cloned().unwrap_or_default(),
        Some(wanted) => names.iter().find(|name| *name == wanted).cloned().ok_or_else(|| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            Trouble::new(format!("`{file}` has no sheet `{wanted}`; there are {}", names.join(", ")))
        })?,
    };
    let place = Place { file: file.clone(), sheet: Some(name.clone()) };
    let mut cells = book.worksheet_cells_reader(&name).map_err(wrong)?;
    let mut rows: BTreeMap<u32, Vec<Cell>> = BTreeMap::new();
    // One by one: a sheet as a whole has room for all between its cells, which two of them can make more than there is.
    while let Some(found) = cells.next_cell().map_err(wrong)? {
        let ((row, column), cell) = (found.get_position(), Cell::of(&found.get_value().clone().into()));
        if cell == Cell::Empty {
            continue;
        }
        let number = rows.len();
        let row = rows.entry(row).or_default();
        let column = usize::try_from(column).unwrap_or(MOST_COLUMNS);
        if column >= MOST_COLUMNS || number > MOST_ROWS {
            return Err(Trouble::new(format!(
                "{place} is too large: more than {MOST_ROWS} rows, or {MOST_COLUMNS} columns; remove what is not needed"
            )));
        }
        row.resize(row.len().max(column + 1), Cell::Empty);
        row[column] = cell;
    }
    let row = |(number, cells)| Row { number: u64::from(number) + 1, cells };
    Ok((place, rows.into_iter().map(row).collect()))
}

fn lines(file: &str, bytes: &[u8]) -> Result<Vec<Row>, Trouble> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Trouble::new(format!("`{file}` is not UTF-8 in line {line}; save it as CSV UTF-8"))
    })?;
    // Excel begins its files so.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| Trouble::new(format!("`{file}` is no CSV: {error}")))?;
        let number = record.position().map_or(0, |position| line_of(text, position));
        Ok(Row { number, cells: record.iter().map(Cell::text).collect() })
    };
    reader.records().map(row).collect()
}

/// The line in which a record begins: its position may lie before the line breaks between it and the one before.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let rest = usize::try_from(position.byte()).ok().and_then(|at| text.as_bytes().get(at..)).unwrap_or_default();
    let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    (0..).zip(breaks).last().map_or(0, |(before, _)| before + 1) + position.line()
}

/// What the headings are separated by: in many countries Excel writes semicolons.
fn delimiter(text: &str) -> u8 {
    let headings = text.lines().next().unwrap_or_default();
    let count = |byte: &u8| headings.bytes().filter(|found| found == byte).count();
    // Of equals the last one counts: the comma.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use rust_xlsxwriter::Workbook;

    fn read_text(text: &[u8]) -> Vec<(u64, Vec<Cell>)> {
        lines("f.csv", text).unwrap().into_iter().map(|row| (row.number, row.cells)).collect()
    }

    #[test]
    fn text_is_read_whatever_separates_it() {
        let cells = |words: [&str; 2]| words.map(Cell::text).to_vec();
        for separator in [",", ";", "\t"] {
            let text = format!("\u{feff}Solution ID{separator}Name\r\nSOL-1{separator}\" Cold\"\"Track \"\r\n");
            let expected = [(1, cells(["Solution ID", "Name"])), (2, cells(["SOL-1", "Cold\"Track"]))];
            assert_eq!(read_text(text.as_bytes()), expected, "{separator}");
        }
    }

    #[test]
    fn lines_are_counted_where_a_text_goes_over_several() {
        let numbers: Vec<u64> = read_text(b"a,b\n\"x\ny\",1\n\n2,3\n").into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 2, 5]);
    }

    fn read_workbook(bytes: Vec<u8>) -> Result<Vec<Row>, Trouble> {
        workbook("f.xlsx".to_owned(), bytes, None).map(|(_, rows)| rows)
    }

    fn saved(cells: &[(u32, u16)]) -> Vec<u8> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for (row, column) in cells {
            sheet.write_string(*row, *column, "x").unwrap();
        }
        book.save_to_buffer().unwrap()
    }

    #[test]
    fn two_cells_far_apart_are_two_cells() {
        let rows = read_workbook(saved(&[(0, 0), (1_048_575, 999)])).unwrap();
        assert_eq!((rows.len(), rows[1].number, rows[1].cells.len()), (2, 1_048_576, 1000));
        let error = read_workbook(saved(&[(0, 0), (1_048_575, 16_383)])).unwrap_err();
        assert!(error.text().contains("too large"), "{}", error.text());
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let samples =
            [saved(&[(0, 0), (0, 1), (1, 0), (2, 1)]), b"Solution ID,Name\r\nSOL-1,\" Cold\"\"Track \"\r\n".to_vec()];
        bolero::check!().with_type::<(bool, u16, Vec<u8>)>().for_each(|(as_text, at, bytes)| {
            let mut file = samples[usize::from(*as_text)].clone();
            let at = usize::from(*at) % file.len();
            let end = file.len().min(at + bytes.len());
            file.splice(at..end, bytes.iter().copied());
            let _ = if *as_text { lines("f.csv", &file) } else { read_workbook(file) };
        });
    }
}
