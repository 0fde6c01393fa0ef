using System.CommandLine;
using System.Globalization;
using Fewbit.Cli.Console;
using Fewbit.Cli.Inspection;
using Fewbit.Cli.Quantizing;
using Fewbit.Onnx;
using Fewbit.Tensors;

namespace Fewbit.Cli.Commands;

internal sealed record InspectSettings(string Model, bool Layers, string? Shape, CommonSettings Common);

/// <summary>fewbit inspect.</summary>
internal static class InspectCommand
{
    public static Command Create(CommonOptions common, CommandOutput output)
    {
        var model = new Argument<string>("model") { Description = "ONNX model to look at." };
        var layers = new Option<bool>("--layers") { Description = "Also list the layers with their parameters and multiply-adds." };
        var shape = new Option<string?>("--shape") { Description = "Input shape to count multiply-adds for, such as 1,3,224,224.", HelpName = "N,C,H,W" };
        var command = new Command("inspect", "Shows inputs, outputs, size and costs of a model, and what of it can be quantized.") { model, layers, shape };
        command.SetAction(parsed => Run(new(parsed.GetRequiredValue(model), parsed.GetValue(layers), parsed.GetValue(shape), common.Read(parsed)), output));
        HelpWithExamples.SetExamples(command, "fewbit inspect model.onnx", "fewbit inspect model.onnx --layers --shape 1,3,320,320", "fewbit inspect model.onnx --json > model.json");
        return command;
    }

    public static int Run(InspectSettings settings, CommandOutput output)
    {
        ModelSummary summary = ModelSummary.Of(settings.Model, OnnxFile.Load(settings.Model), settings.Shape is null ? null : ParseShape(settings.Shape));
        if (settings.Common.Json) output.Json(settings.Layers ? summary : summary with { Layers = [] });
        else Write(summary, settings.Layers, output);
        return CommandLine.Success;
    }

    internal static Shape ParseShape(string text, string option = "--shape")
    {
        string[] parts = text.Split(',', 'x');
        var dims = new long[parts.Length];
        for (int i = 0; i < dims.Length; i++)
        {
            if (!long.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out dims[i]) || dims[i] is 0 or > int.MaxValue)
                throw new UsageException($"{option} is '{text}', expected whole numbers above 0 with commas between them, such as 1,3,224,224");
        }
        return new(dims);
    }

    private static void Write(ModelSummary summary, bool layers, CommandOutput output)
    {
        output.Fields(
        [
            ("model", $"{summary.File}, {Words.Bytes(summary.FileBytes + summary.ExternalBytes)}{(summary.ExternalBytes > 0 ? " with external data" : "")}"),
            ("format", $"{string.Join(", ", summary.Opsets.Select(pair => pair.Key.Length == 0 ? $"opset {pair.Value}" : $"{pair.Key} {pair.Value}"))}, IR {summary.IrVersion}{(summary.Producer.Length > 0 ? $", by {summary.Producer}" : "")}"),
            .. summary.Inputs.Select(input => ("input", input.ToString())),
            .. Picture(summary.Picture),
            .. summary.Outputs.Select(value => ("output", value.ToString())),
            ("parameters", $"{Words.Whole(summary.Parameters)} ({Words.Bytes(summary.ParameterBytes)})"),
            ("multiply-adds", $"{(summary.MultiplyAdds is { } count ? Words.Count(count) : "not known")} for input {summary.MultiplyAddsFor}{(summary.MultiplyAdds is null ? "; give --shape" : "")}"),
            ("operators", string.Join(", ", summary.Operators.Select(pair => $"{pair.Value} {pair.Key}"))),
            ("int8", summary.Quantizable.Problem ?? NodeTable.Summary(summary.Quantizable.Nodes)),
            .. NodeTable.FloatReasons(summary.Quantizable.Nodes).Select(reason => ("", reason)),
            .. summary.Unsupported.Count == 0 ? [] : new[] { ("not supported", string.Join(", ", summary.Unsupported)) },
        ]);
        if (!layers) return;
        output.Line();
        output.Table(["layer", "operator", "output", ">parameters", ">multiply-adds"], summary.Layers.Select(layer => (string[])
            [layer.Node, layer.OpType, layer.Output, Words.Whole(layer.Parameters), layer.MultiplyAdds is { } count ? Words.Count(count) : "?"]));
    }

    private static IEnumerable<(string, string)> Picture(PictureSummary? picture)
    {
        if (picture is null) yield break;
        string size = picture is { Height: { } height, Width: { } width } ? $"{width} x {height}" : "any size";
        yield return ("pictures", $"{picture.Layout}, {Words.Plural(picture.Channels, "channel")}, {size}");
        yield return ("preprocessing", picture.Stated is { } stated
            ? $"{stated.Name}, as the model's metadata states"
            : $"not stated by the model; --preprocess {string.Join("|", picture.Presets)} or a JSON file fit");
    }
}
