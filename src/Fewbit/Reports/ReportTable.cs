namespace Fewbit.Reports;

/// <summary>A column of a table.</summary>
/// <param name="Name">Its header.</param>
/// <param name="IsNumber">Whether it is aligned and sorted as numbers.</param>
public sealed record ReportColumn(string Name, bool IsNumber = false);

/// <summary>A cell of a table.</summary>
/// <param name="Text">What is shown.</param>
/// <param name="Value">What is sorted by; null sorts by the text.</param>
public sealed record ReportCell(string Text, double? Value = null);

/// <summary>A table with sortable columns.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="Remark">A sentence below the heading; empty for none.</param>
/// <param name="Columns">The columns; the first names the row.</param>
/// <param name="Rows">As many cells a row as there are columns.</param>
public sealed record ReportTable(string Title, string Remark, IReadOnlyList<ReportColumn> Columns, IReadOnlyList<IReadOnlyList<ReportCell>> Rows);
