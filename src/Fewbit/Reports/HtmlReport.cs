using System.Text;
using Fewbit.Evaluation;
using Fewbit.Quantization;
using Fewbit.Storage;

namespace Fewbit.Reports;

/// <summary>A name and a value of how a model was made.</summary>
/// <param name="Name">What it is, such as "calibration".</param>
/// <param name="Value">Its value.</param>
public sealed record ReportSetting(string Name, string Value);

/// <summary>What became of a quantized model, as one HTML page that needs no network: verdict, accuracy, size, time, error by depth, every layer.</summary>
/// <remarks>Sections without data are left out. Everything is escaped: names come from model files.</remarks>
public sealed record HtmlReport
{
    /// <summary>Heading, such as "model.onnx → model.int8.onnx".</summary>
    public required string Title { get; init; }

    /// <summary>What kind of report it is; shown above the title.</summary>
    public string Kind { get; init; } = "Quantization report";

    /// <summary>What the quantized model is called beside float, such as "int8".</summary>
    public string ModelLabel { get; init; } = "quantized";

    /// <summary>The verdict; null for none.</summary>
    public ReportVerdict? Verdict { get; init; }

    /// <summary>Accuracy and agreement; the first is shown with the verdict.</summary>
    public IReadOnlyList<ReportFigure> Accuracy { get; init; } = [];

    /// <summary>Sizes in bytes; the first is shown with the verdict.</summary>
    public IReadOnlyList<ReportFigure> Sizes { get; init; } = [];

    /// <summary>Times of a run; the first is shown with the verdict.</summary>
    public IReadOnlyList<ReportFigure> Times { get; init; } = [];

    /// <summary>What was done to each node; null where that is not known.</summary>
    public QuantizationReport? Quantization { get; init; }

    /// <summary>The error of each layer; null where it was not measured.</summary>
    public ComparisonReport? Comparison { get; init; }

    /// <summary>What <see cref="Comparison"/> was measured on: "64 held-out samples".</summary>
    public string ComparedOn { get; init; } = "";

    /// <summary>What deserves attention, beside the warnings of <see cref="Quantization"/>.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Sentences below the figures, such as one on why no speed is gained.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Further tables, behind the layers.</summary>
    public IReadOnlyList<ReportTable> Tables { get; init; } = [];

    /// <summary>How the model was made.</summary>
    public IReadOnlyList<ReportSetting> Settings { get; init; } = [];

    /// <summary>The command that made it; null for none.</summary>
    public string? Command { get; init; }

    /// <summary>The report of a quantization.</summary>
    /// <param name="title">Heading.</param>
    /// <param name="result">What was made.</param>
    /// <param name="evaluation">Float and quantized model on the same samples; null where they were not run.</param>
    /// <param name="comparison">The error layer by layer; null where it was not measured.</param>
    public static HtmlReport Of(string title, QuantizationResult result, EvaluationResult? evaluation = null, ComparisonReport? comparison = null)
    {
        ArgumentNullException.ThrowIfNull(result);
        SizeReport size = result.Report.Size;
        return new()
        {
            Title = title,
            Verdict = evaluation is null ? null : EvaluationFigures.Verdict(evaluation),
            Accuracy = evaluation is null ? [] : [.. EvaluationFigures.Of(evaluation)],
            Sizes = [new("parameters", FigureUnit.Bytes, new(size.FloatParameterBytes), new(size.ParameterBytes))],
            Quantization = result.Report,
            Comparison = comparison,
            ComparedOn = comparison is null ? "" : Words.Plural(comparison.Samples, "sample"),
        };
    }

    /// <summary>The page as text.</summary>
    public string ToHtml() => HtmlPage.Of(this).ToString();

    /// <summary>Writes the page; a file that is there is replaced once the new one is complete.</summary>
    public void Write(string path) => AtomicFile.Write(path, file => file.Write(Encoding.UTF8.GetBytes(ToHtml())));
}
