using System.Text;

namespace Fewbit.Benchmarks.Results;

/// <summary>docs/results/speed.md: one chapter a processor, one table a section. What is not measured anew stays as it was.</summary>
internal sealed class SpeedPage
{
    private const string FileName = "speed.md";
    private readonly SortedDictionary<string, Dictionary<string, string>> _chapters = new(StringComparer.Ordinal);

    /// <summary>Reads the page that is there; a missing one is empty.</summary>
    public static SpeedPage Load()
    {
        var page = new SpeedPage();
        string? chapter = null, section = null;
        var text = new StringBuilder();
        foreach (string line in File.Exists(Machine.PagePath(FileName)) ? File.ReadLines(Machine.PagePath(FileName)) : [])
        {
            bool isChapter = line.StartsWith("## ", StringComparison.Ordinal), isSection = line.StartsWith("### ", StringComparison.Ordinal);
            if (!isChapter && !isSection)
            {
                text.AppendLine(line);
                continue;
            }
            page.Keep(chapter, section, text);
            (chapter, section) = isChapter ? (line[3..], null) : (chapter, line[4..]);
        }
        page.Keep(chapter, section, text);
        return page;
    }

    /// <summary>Replaces a section of this processor's chapter.</summary>
    public void Set(string section, string text) => Chapter(Machine.Processor)[section] = text.Trim();

    /// <summary>Writes the page, sections in the given order.</summary>
    public void Save(IReadOnlyList<string> order)
    {
        var page = new StringBuilder();
        page.AppendLine("# Speed").AppendLine();
        page.AppendLine("""
            Made by `dotnet run -c Release --project bench/Fewbit.Benchmarks -- speed-results`, which measures the processor that it runs on and keeps the chapters of others; a section alone by its name behind
            (`speed-results forward kernel-paths memory calibration fake-quantization start int8 gemm`). `FEWBIT_ORT` names ONNX Runtime, `FEWBIT_DATA` the folder of real models.
            Ratios are medians over rounds in which both sides take turns in one process; lower is better. ONNX Runtime has a session of its own each round, since the threads of an idle one spin.
            The networks are those of `fewbit new` (seed 1), exported once, so that both sides run the same file; those under "real models" are pretrained files.
            """).AppendLine();
        foreach ((string processor, Dictionary<string, string> sections) in _chapters)
        {
            page.AppendLine($"## {processor}").AppendLine();
            foreach (string name in order)
            {
                if (sections.TryGetValue(name, out string? text)) page.AppendLine($"### {name}").AppendLine().AppendLine(text).AppendLine();
            }
        }
        Machine.WritePage(FileName, page.ToString().TrimEnd() + Environment.NewLine);
    }

    private void Keep(string? chapter, string? section, StringBuilder text)
    {
        if (chapter is not null && section is not null) Chapter(chapter)[section] = text.ToString().Trim();
        text.Clear();
    }

    private Dictionary<string, string> Chapter(string processor)
    {
        if (!_chapters.TryGetValue(processor, out var sections)) _chapters[processor] = sections = new(StringComparer.Ordinal);
        return sections;
    }
}
