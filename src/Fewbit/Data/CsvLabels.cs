namespace Fewbit.Data;

/// <summary>Reads picture files and labels from a CSV file: columns file and label, with or without a header.</summary>
internal static class CsvLabels
{
    private static readonly string[] FileHeaders = ["file", "filename", "file_name", "path", "filepath", "image", "image_path", "img", "picture"];
    private static readonly string[] LabelHeaders = ["label", "labels", "class", "class_id", "classid", "category", "target", "class_name", "y"];

    /// <returns>Full paths, and the label texts where the file has them.</returns>
    public static (string[] Files, string[]? Labels) Read(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        List<(int Line, string[] Cells)> rows = ReadRows(path);
        if (rows.Count == 0) throw new InvalidDataException($"{path}: is empty, expected lines of file, label");
        (int fileColumn, int labelColumn, bool hasHeader) = FindColumns(rows[0].Cells, folder);
        if (hasHeader) rows.RemoveAt(0);
        if (rows.Count == 0) throw new InvalidDataException($"{path}: has a header and no lines, expected lines of file, label");
        var files = new string[rows.Count];
        var labels = new string[rows.Count];
        for (int i = 0; i < files.Length; i++)
        {
            (int line, string[] cells) = rows[i];
            if (cells.Length <= Math.Max(fileColumn, labelColumn))
                throw new InvalidDataException($"{path}: line {line} has {cells.Length} cells, expected at least {Math.Max(fileColumn, labelColumn) + 1}: file, label");
            files[i] = Path.Combine(folder, cells[fileColumn]);
            if (!File.Exists(files[i])) throw new InvalidDataException($"{path}: line {line} names the picture {cells[fileColumn]}, which is not in {folder}; paths are relative to the CSV file");
            labels[i] = labelColumn < 0 ? "" : cells[labelColumn];
            if (labelColumn >= 0 && labels[i].Length == 0) throw new InvalidDataException($"{path}: line {line} has no label for {cells[fileColumn]}");
        }
        return (files, labelColumn < 0 ? null : labels);
    }

    private static (int File, int Label, bool HasHeader) FindColumns(string[] first, string folder)
    {
        int file = IndexOf(first, FileHeaders), label = IndexOf(first, LabelHeaders);
        if (file >= 0 && !File.Exists(Path.Combine(folder, first[file]))) return (file, label, true);
        // Any header will do where the first cell is plainly not a picture.
        bool hasHeader = !PictureFiles.IsPicture(first[0]) && !File.Exists(Path.Combine(folder, first[0]));
        return (0, first.Length > 1 ? 1 : -1, hasHeader);
    }

    private static int IndexOf(string[] cells, string[] names) => Array.FindIndex(cells, cell => names.Contains(cell, StringComparer.OrdinalIgnoreCase));

    private static List<(int, string[])> ReadRows(string path)
    {
        var rows = new List<(int, string[])>();
        char separator = '\0';
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            if (separator == '\0') separator = line.Contains('\t') ? '\t' : !line.Contains(',') && line.Contains(';') ? ';' : ',';
            rows.Add((number, Split(line, separator)));
        }
        return rows;
    }

    /// <summary>Cells may be quoted; a doubled quote inside quotes is one.</summary>
    internal static string[] Split(string line, char separator)
    {
        var cells = new List<string>();
        var cell = new System.Text.StringBuilder();
        bool quoted = false;
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (quoted && c == '"' && i + 1 < line.Length && line[i + 1] == '"') cell.Append(line[++i]);
            else if (c == '"') quoted = !quoted;
            else if (c == separator && !quoted)
            {
                cells.Add(cell.ToString().Trim());
                cell.Clear();
            }
            else cell.Append(c);
        }
        cells.Add(cell.ToString().Trim());
        return [.. cells];
    }
}
