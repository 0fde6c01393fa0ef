using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx;
using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Reading;
using Fewbit.Tensors;

namespace Fewbit.Testing.Conformance;

/// <summary>How a test of the ONNX backend suite ended.</summary>
public enum Outcome
{
    /// <summary>Outputs agree.</summary>
    Passed,
    /// <summary>Outputs differ, or the engine refused the model.</summary>
    Failed,
    /// <summary>The engine lacks an operator.</summary>
    Unsupported,
    /// <summary>Text, sequences, optional values or operator versions that are none of the engine's concern.</summary>
    OutOfScope,
}

/// <summary>What came of a test.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Operators">The operators of the model.</param>
/// <param name="Reason">Why it did not pass; empty where it did.</param>
public sealed record BackendResult(Outcome Outcome, IReadOnlyList<string> Operators, string Reason);

/// <summary>One folder of the ONNX backend suite: a model, inputs, and the outputs that it must give.</summary>
/// <param name="Name">Family and folder: node/test_relu.</param>
public sealed record BackendTest(string Name)
{
    private const string Suite = "onnx-backend-tests";
    private static readonly string[] Families = ["node", "simple", "pytorch-converted", "pytorch-operator"];

    /// <summary>Every test under the data root, in the order of names.</summary>
    public static IEnumerable<BackendTest> All() =>
        from family in Families
        let folder = Oracles.Data(Path.Combine(Suite, family))
        where Directory.Exists(folder)
        from test in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal)
        select new BackendTest($"{family}/{Path.GetFileName(test)}");

    private string Folder => Oracles.Data(Path.Combine(Suite, Name));

    /// <summary>Runs the model in the interpreter, in a plan, and in a plan whose inputs but the first are constants.</summary>
    public BackendResult Run()
    {
        string model = Path.Combine(Folder, "model.onnx");
        ModelProto proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(model));
        string[] operators = [.. proto.Graph.Node.Select(node => node.OpType).Distinct()];
        if (Scope.WhyNot(proto) is { } reason) return new(Outcome.OutOfScope, operators, reason);
        try
        {
            Graph graph = OnnxFile.Load(model);
            Node? unknown = graph.UnsupportedNodes().FirstOrDefault();
            if (unknown is not null) return new(Outcome.Unsupported, operators, $"{unknown} is not supported");
            foreach (string data in Directory.EnumerateDirectories(Folder, "test_data_set_*").Order(StringComparer.Ordinal)) Run(graph, proto, data);
            return new(Outcome.Passed, operators, "");
        }
#pragma warning disable CA1031 // Whatever an operator throws is the test's result.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return new(Outcome.Failed, operators, e is InvalidDataException ? e.Message : $"{e.GetType().Name}: {e.Message}");
        }
    }

    private static void Run(Graph graph, ModelProto proto, string data)
    {
        var inputs = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        for (int i = 0; i < proto.Graph.Input.Count; i++) inputs[proto.Graph.Input[i].Name] = Read(Path.Combine(data, $"input_{i}.pb"));
        Tensor[] expected = [.. Enumerable.Range(0, graph.Outputs.Count).Select(i => Read(Path.Combine(data, $"output_{i}.pb")))];
        Compare(graph, expected, new Interpreter().Run(graph, inputs), "interpreter");
        Compare(graph, expected, RunPlan(graph, inputs), "plan");
        if (graph.Inputs.Count > 1) Compare(graph, expected, RunPlan(WithConstants(graph, inputs), inputs), "plan with constants");
    }

    private static Tensor[] RunPlan(Graph graph, Dictionary<string, Tensor> inputs)
    {
        var fed = graph.Inputs.ToDictionary(input => input.Name, input => inputs[input.Name], StringComparer.Ordinal);
        Plan plan = Plan.Compile(graph, new() { Inputs = fed.ToDictionary(pair => pair.Key, pair => pair.Value.Shape, StringComparer.Ordinal) });
        plan.Run(fed);
        return [.. graph.Outputs.Select(output => plan.Output(output.Name))];
    }

    private static Graph WithConstants(Graph graph, Dictionary<string, Tensor> inputs)
    {
        Graph copy = graph.Clone();
        foreach (Value input in copy.Inputs.Skip(1).ToArray())
        {
            copy.RemoveInput(input);
            input.SetConstant(inputs[input.Name]);
        }
        return copy;
    }

    private static Tensor Read(string path) =>
        new TensorReader(new ExternalFiles(null, long.MaxValue)).Read(TensorProto.Parser.ParseFrom(File.ReadAllBytes(path)), Path.GetFileName(path));

    private static void Compare(Graph graph, Tensor[] expected, Tensor[] actual, string engine)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (TensorComparison.Difference(expected[i], actual[i]) is { } difference)
                throw new InvalidDataException($"{engine}: output '{graph.Outputs[i].Name}' {difference}");
        }
    }
}
