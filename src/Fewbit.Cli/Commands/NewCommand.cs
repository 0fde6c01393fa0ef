using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Cli.Quantizing;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Weights;

namespace Fewbit.Cli.Commands;

internal sealed record NewSettings(string? Name, bool List, int? Classes, int? InputSize, string? Weights, string? WeightPrefix, bool WeightsByOrder, string? Output, bool Overwrite, CommonSettings Common);

/// <summary>A reference model as lists and results show it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is.</param>
/// <param name="Input">Shape of its input.</param>
/// <param name="Classes">Classes, or kinds of tokens.</param>
/// <param name="Parameters">Numbers that training learns.</param>
/// <param name="MultiplyAdds">For one sample.</param>
/// <param name="File">The file written; null in a list.</param>
/// <param name="Weights">The file that the weights come from; null for random ones.</param>
internal sealed record NewReport(string Name, string Description, string Input, int Classes, long Parameters, long MultiplyAdds, string? File = null, string? Weights = null)
{
    public static NewReport Of(ReferenceModel model, ReferenceModelOptions options)
    {
        (int size, ModelCost cost) = (options.InputSize ?? model.InputSize, model.Count(options));
        return new(model.Name, model.Description, model.TakesTokens ? $"{size} tokens" : $"3 x {size} x {size}", options.Classes ?? model.Classes, cost.Parameters, cost.MultiplyAdds);
    }
}

/// <summary>fewbit new.</summary>
internal static class NewCommand
{
    public static Command Create(CommonOptions common, CommandOutput output)
    {
        var name = new Argument<string?>("name") { Description = "Name of the network; --list shows them.", Arity = ArgumentArity.ZeroOrOne };
        var list = new Option<bool>("--list") { Description = "List the networks with their parameters and multiply-adds." };
        var classes = new Option<int?>("--classes") { Description = "Classes, or kinds of tokens of a language model. Default: those of the paper.", HelpName = "N" };
        var inputSize = new Option<int?>("--input-size") { Description = "Height and width of pictures, or number of tokens. Default: that of the paper.", HelpName = "N" };
        var weights = new Option<string?>("--weights") { Description = "Weights for it: safetensors, .npz, or PyTorch's .pth, .pt, .th with the network's names and shapes. Default: random ones.", HelpName = "FILE" };
        var prefix = new Option<string?>("--weight-prefix") { Description = "Taken off the names in the file of weights; others are left out.", HelpName = "TEXT" };
        var byOrder = new Option<bool>("--weights-by-order") { Description = "Match weights by their order and shapes, whatever their names." };
        var target = new Option<string?>("--output", "-o") { Description = "File to write. Default: NAME.onnx.", HelpName = "FILE" };
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace the file if it is there." };
        var command = new Command("new", "Writes a network of the literature with random weights or those of a file: to time, to train, to try things on.") { name, list, classes, inputSize, weights, prefix, byOrder, target, overwrite };
        command.SetAction(parsed => Run(new(parsed.GetValue(name), parsed.GetValue(list), parsed.GetValue(classes), parsed.GetValue(inputSize), parsed.GetValue(weights),
            parsed.GetValue(prefix), parsed.GetValue(byOrder), parsed.GetValue(target), parsed.GetValue(overwrite), common.Read(parsed)), output));
        HelpWithExamples.SetExamples(command, "fewbit new --list", "fewbit new resnet20 --classes 10 -o model.onnx", "fewbit new resnet20 --weights resnet20.safetensors -o model.onnx", "fewbit new mobilenetv2 --input-size 96 --seed 7");
        return command;
    }

    public static int Run(NewSettings settings, CommandOutput output)
    {
        if (settings.List) return List(settings, output);
        (ReferenceModel model, ReferenceModelOptions options, NewReport report) = Read(settings);
        string path = settings.Output ?? $"{model.Name}.onnx";
        TargetFile.CheckWritable(path, model: null, settings.Overwrite);
        Graph graph = model.Create(options);
        if (settings.Weights is { } weights) Load(graph, weights, settings);
        OnnxFile.Save(graph, path);
        output.Written.Add(path);
        report = report with { File = path, Weights = settings.Weights };
        if (settings.Common.Json) output.Json(report);
        else Write(report, settings.Common.Seed, output);
        return CommandLine.Success;
    }

    private static int List(NewSettings settings, CommandOutput output)
    {
        NewReport[] all = [.. ReferenceModels.All.Select(model => NewReport.Of(model, new()))];
        if (settings.Common.Json) output.Json(all);
        else output.Table(["name", ">parameters", ">multiply-adds", ">input", ">classes", ""], all.Select(model => (string[])
            [model.Name, Words.Whole(model.Parameters), Words.Count(model.MultiplyAdds), model.Input, Words.Whole(model.Classes), model.Description]));
        return CommandLine.Success;
    }

    /// <summary>The model and its options; a name or number that is none is wrong usage.</summary>
    private static (ReferenceModel, ReferenceModelOptions, NewReport) Read(NewSettings settings)
    {
        if (settings.Name is not { } name) throw new UsageException("no network is named; 'fewbit new --list' shows them");
        if (settings.Weights is null && (settings.WeightPrefix is not null || settings.WeightsByOrder)) throw new UsageException("--weight-prefix and --weights-by-order need --weights FILE");
        CheckRange("--classes", settings.Classes, 2, 1_000_000);
        CheckRange("--input-size", settings.InputSize, 1, 2048);
        try
        {
            ReferenceModel model = ReferenceModels.Find(name);
            var options = new ReferenceModelOptions { Classes = settings.Classes, InputSize = settings.InputSize, Seed = settings.Common.Seed };
            return (model, options, NewReport.Of(model, options));
        }
        catch (ArgumentException problem)
        {
            throw new UsageException(CommandLine.WithoutParameter(problem));
        }
    }

    private static void Load(Graph graph, string file, NewSettings settings) => WeightLoader.Load(graph, WeightFile.Read(file), file,
        new() { Prefix = settings.WeightPrefix ?? "", Matching = settings.WeightsByOrder ? WeightMatching.ByOrder : WeightMatching.ByName });

    private static void CheckRange(string option, int? number, int min, int max)
    {
        if (number < min || number > max) throw new UsageException($"{option} is {number}, expected {min} to {max}");
    }

    private static void Write(NewReport report, long seed, CommandOutput output) => output.Fields(
        ("written", report.File!),
        ("network", $"{report.Name}: {report.Description}"),
        ("input", report.Input),
        ("classes", Words.Whole(report.Classes)),
        ("parameters", $"{Words.Whole(report.Parameters)}, {(report.Weights is { } file ? $"of {file}" : $"random from seed {seed}")}"),
        ("multiply-adds", $"{Words.Count(report.MultiplyAdds)} for one sample"));
}
