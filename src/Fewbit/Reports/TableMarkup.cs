namespace Fewbit.Reports;

/// <summary>Tables whose headers sort, once the script has made buttons of them.</summary>
internal static class TableMarkup
{
    public static Html Section(string id, ReportTable table) => Html.Of($"""
        <section aria-labelledby="{id}">
        <h2 id="{id}">{table.Title}</h2>
        {(table.Remark.Length == 0 ? default : Html.Of($"<p>{table.Remark}</p>"))}
        {Of(id, table)}
        </section>

        """);

    /// <summary>The table alone.</summary>
    /// <param name="id">Of the heading that names it.</param>
    /// <param name="table">The table.</param>
    public static Html Of(string id, ReportTable table) => Of(id, table.Columns, table.Rows.Select(row => Html.Join(row.Select((cell, column) => Cell(cell, table.Columns[column], column == 0)))));

    /// <summary>The table of rows that are markup.</summary>
    public static Html Of(string id, IReadOnlyList<ReportColumn> columns, IEnumerable<Html> rows) => Html.Of($"""
        <div class="scroll" role="region" aria-labelledby="{id}" tabindex="0"><table data-sortable>
        <thead><tr>{columns.Select(column => Html.Of($"<th scope=\"col\"{(column.IsNumber ? Html.Own(" class=\"number\"") : default)}>{column.Name}</th>"))}</tr></thead>
        <tbody>
        {rows.Select(row => Html.Of($"<tr>{row}</tr>\n"))}</tbody>
        </table></div>
        """);

    /// <summary>A cell; the first of a row names it.</summary>
    public static Html Cell(ReportCell cell, ReportColumn column, bool isName)
    {
        Html sorted = cell.Value is { } value ? Html.Of($" data-value=\"{value:R}\"") : column.IsNumber ? Html.Own(" data-value=\"\"") : default, style = column.IsNumber ? Html.Own(" class=\"number\"") : default;
        return isName ? Html.Of($"<th scope=\"row\"{style}{sorted}><bdi>{cell.Text}</bdi></th>") : Html.Of($"<td{style}{sorted}><bdi>{cell.Text}</bdi></td>");
    }
}
