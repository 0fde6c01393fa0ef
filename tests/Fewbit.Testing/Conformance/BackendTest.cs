using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
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
}

/// <summary>What came of a test.</summary>
/// <param name="Name">The test.</param>
/// <param name="Group">Where it is counted.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Operators">The operators of the model, subgraphs and functions included; other domains than the standard one in front.</param>
/// <param name="Reason">Why it did not pass, or is not in scope; empty where it is in scope and passed.</param>
public sealed record BackendResult(string Name, Group Group, Outcome Outcome, IReadOnlyList<string> Operators, string Reason);

/// <summary>One folder of the ONNX backend suite: a model, inputs, and the outputs that it must give.</summary>
/// <param name="Name">Family and folder: node/test_relu.</param>
public sealed record BackendTest(string Name)
{
    /// <summary>The folder of the suite under the data root.</summary>
    public const string Suite = "onnx-backend-tests";

    private string Folder => Oracles.Data(Path.Combine(Suite, Name));

    /// <summary>Every test under the data root, in the order of names; families that are not there have none.</summary>
    public static IEnumerable<BackendTest> All()
    {
        if (Oracles.DataRoot is null || !Directory.Exists(Oracles.Data(Suite))) return [];
        return from family in Directory.EnumerateDirectories(Oracles.Data(Suite)).Order(StringComparer.Ordinal)
               from test in Directory.EnumerateDirectories(family).Order(StringComparer.Ordinal)
               where File.Exists(Path.Combine(test, "model.onnx"))
               select new BackendTest($"{Path.GetFileName(family)}/{Path.GetFileName(test)}");
    }

    /// <summary>Runs the model in the interpreter, in a plan, in a plan of the graph that passes prepared, and in a plan whose inputs but the first are constants.</summary>
    public BackendResult Run()
    {
        string model = Path.Combine(Folder, "model.onnx");
        ModelProto proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(model));
        string[] operators = [.. Scope.Nodes(proto).Select(OperatorName).Except(proto.Functions.Select(function => $"{function.Domain}.{function.Name}")).Distinct().Order(StringComparer.Ordinal)];
        (Group group, string why) = Scope.Of(proto, name => InputProto(proto, name));
        BackendResult Result(Outcome outcome, string reason) => new(Name, group, outcome, operators, why.Length > 0 && reason.Length > 0 ? $"{why}; {reason}" : why + reason);
        try
        {
            Graph graph = OnnxFile.Load(model);
            Node? unknown = graph.UnsupportedNodes().FirstOrDefault();
            if (unknown is not null) return Result(Outcome.Unsupported, $"{unknown} is not supported");
            foreach (string data in Directory.EnumerateDirectories(Folder, "test_data_set_*").Order(StringComparer.Ordinal)) Run(graph, proto, data);
            return Result(Outcome.Passed, "");
        }
#pragma warning disable CA1031 // Whatever an operator throws is the test's result.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Result(Outcome.Failed, (e is InvalidDataException ? e.Message : $"{e.GetType().Name}: {e.Message}").Replace(Folder + "/", "", StringComparison.Ordinal));
        }
    }

    private static string OperatorName(NodeProto node) => ModelReader.DomainName(node.Domain) is { Length: > 0 } domain ? $"{domain}.{node.OpType}" : node.OpType;

    /// <summary>The first data set's tensor for an input of the model.</summary>
    private TensorProto? InputProto(ModelProto model, string name)
    {
        int index = model.Graph.Input.ToList().FindIndex(input => input.Name == name);
        string path = Path.Combine(Folder, "test_data_set_0", $"input_{index}.pb");
        return index >= 0 && File.Exists(path) ? TensorProto.Parser.ParseFrom(File.ReadAllBytes(path)) : null;
    }

    private static void Run(Graph graph, ModelProto proto, string data)
    {
        var inputs = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach ((int i, ValueInfoProto input) in proto.Graph.Input.Index())
        {
            // Weights that old models list among the inputs have no file.
            if (Path.Combine(data, $"input_{i}.pb") is var path && File.Exists(path)) inputs[input.Name] = Read(path, input);
        }
        Tensor[] expected = [.. proto.Graph.Output.Select((output, i) => Read(Path.Combine(data, $"output_{i}.pb"), output))];
        Compare(graph, expected, new Interpreter().Run(graph, inputs), "interpreter");
        Compare(graph, expected, RunPlan(graph, inputs), "plan");
        Compare(graph, expected, RunPlan(Passes.ForExecution(graph), inputs), "plan of the prepared graph");
        if (graph.Inputs.Count > 1) Compare(graph, expected, RunPlan(WithConstants(graph, inputs), inputs), "plan with constants");
    }

    private static Tensor[] RunPlan(Graph graph, Dictionary<string, Tensor> inputs)
    {
        var fed = graph.Inputs.Where(input => inputs.ContainsKey(input.Name)).ToDictionary(input => input.Name, input => inputs[input.Name], StringComparer.Ordinal);
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

    /// <summary>The tensor of a file. Suites before ONNX 1.13 store bfloat16 as uint16.</summary>
    private static Tensor Read(string path, ValueInfoProto declared)
    {
        Tensor tensor = new TensorReader(new ExternalFiles(null, long.MaxValue)).Read(TensorProto.Parser.ParseFrom(File.ReadAllBytes(path)), Path.GetFileName(path));
        bool isHalf = tensor.Type == ElementType.UInt16 && declared.Type?.TensorType?.ElemType == (int)ElementType.BFloat16;
        return isHalf ? tensor.View(ElementType.BFloat16, tensor.Shape, 0) : tensor;
    }

    private static void Compare(Graph graph, Tensor[] expected, Tensor[] actual, string engine)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (TensorComparison.Difference(expected[i], actual[i]) is { } difference)
                throw new InvalidDataException($"{engine}: output '{graph.Outputs[i].Name}' {difference}");
        }
    }
}
