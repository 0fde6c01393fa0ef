using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Cli.Inspection;

/// <summary>Input shapes that a command line states: name=1,3,224,224, or the lengths alone for the only input.</summary>
internal static class InputShapes
{
    /// <summary>Fixes the open lengths of a model's inputs. A first dimension that is open stays so in the model: it is the batch.</summary>
    /// <param name="graph">The model, which is changed.</param>
    /// <param name="stated">What the command line says.</param>
    /// <returns>A copy of definite sizes, a batch of 1 where nothing else is said; lengths that nobody states stay open.</returns>
    /// <exception cref="UsageException">A text is no shape.</exception>
    /// <exception cref="ArgumentException">A shape does not fit the model.</exception>
    public static Graph Fix(Graph graph, IEnumerable<string> stated)
    {
        var shapes = stated.Select(text => Parse(text, graph)).ToDictionary(pair => pair.Input.Name, pair => pair.Shape, StringComparer.Ordinal);
        foreach ((string name, Shape shape) in shapes)
        {
            Value input = graph.Find(name)!;
            Dim first = input.Shape is { Rank: > 0 } open ? open[0] : shape.Rank > 0 ? shape[0] : 0;
            input.Shape = shape.Rank == 0 ? SymbolicShape.From(shape) : SymbolicShape.From(shape).With(0, first);
        }
        if (shapes.Count > 0) Infer(graph);
        Graph sized = Sizing.OneSample(graph, null);
        foreach ((string name, Shape shape) in shapes) sized.Find(name)!.Shape = SymbolicShape.From(shape);
        if (shapes.Count > 0) Infer(sized);
        return sized;
    }

    private static void Infer(Graph graph)
    {
        foreach (Node node in graph.Nodes)
        {
            foreach (Value output in node.Outputs) output.Shape = null;
        }
        Inference.Infer(graph);
    }

    private static (Value Input, Shape Shape) Parse(string text, Graph graph)
    {
        int sign = text.LastIndexOf('=');
        Value[] inputs = [.. ModelSummary.FedInputs(graph)];
        if (sign < 0 && inputs.Length != 1) throw new UsageException($"--input-shape is '{text}', expected a name in front, such as {inputs.FirstOrDefault()?.Name ?? "input"}={text}: the model has {Words.Plural(inputs.Length, "input")}");
        string name = sign < 0 ? inputs[0].Name : text[..sign];
        Value input = inputs.FirstOrDefault(candidate => candidate.Name == name)
            ?? throw new ArgumentException($"--input-shape names '{name}', but the model has no such input{Data.Closest.Suggestion(name, inputs.Select(candidate => candidate.Name))}; it has {string.Join(", ", inputs.Select(candidate => $"'{candidate.Name}'"))}");
        Shape shape = InspectCommand.ParseShape(text[(sign + 1)..], "--input-shape");
        return input.Shape is null || input.Shape.Matches(shape) ? (input, shape) : throw new ArgumentException($"--input-shape {text} does not fit input {input}");
    }
}
