using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Testing.Conformance;
using Google.Protobuf;

namespace Fewbit.Onnx.Tests;

/// <summary>Each case of operator-cases.txt in the interpreter and in plans, with and without known shapes, against ONNX Runtime.</summary>
public class OperatorAgreementTests
{
    public static TheoryData<string> Cases => [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "operator-cases.txt")).Where(line => line.Length > 0 && line[0] != '#')];

    [RuntimeTheory]
    [MemberData(nameof(Cases))]
    public void Run_OneNode_AgreesWithOnnxRuntime(string line)
    {
        var test = new OperatorCase(line);
        var options = new OnnxRuntimeOptions { OptimizationLevel = GraphOptimizationLevel.Off, Threads = 1 };
        using var session = OnnxRuntimeSession.Load(OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary), test.Model(statesShapes: true).ToByteArray(), options);
        var expected = session.Run(test.Inputs);
        foreach (bool statesShapes in (bool[])[true, false])
        {
            Graph graph = OnnxFile.Load(test.Model(statesShapes).ToByteArray());
            Compare(expected, graph, new Interpreter().Run(graph, test.Inputs), "interpreter");
            Compare(expected, graph, RunPlan(graph, test), "plan");
        }
        if (test.Inputs.Count < 2) return;
        Graph constants = test.WithConstants();
        Compare(expected, constants, RunPlan(constants, test), "plan with constants");
    }

    private static Tensor[] RunPlan(Graph graph, OperatorCase test)
    {
        var inputs = graph.Inputs.ToDictionary(input => input.Name, input => test.Inputs[input.Name]);
        Plan plan = Plan.Compile(graph, new() { Inputs = inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape) });
        plan.Run(inputs);
        return [.. graph.Outputs.Select(output => plan.Output(output.Name))];
    }

    private static void Compare(IReadOnlyDictionary<string, Tensor> expected, Graph graph, Tensor[] actual, string engine)
    {
        for (int i = 0; i < actual.Length; i++)
        {
            Tensor wanted = expected[graph.Outputs[i].Name];
            // Sums in another order: 2e-5 of the largest element.
            bool agrees = wanted.Type == ElementType.Float32 && TensorComparison.MaxRelativeError(wanted, actual[i]) <= 2e-5;
            string? difference = agrees ? null : TensorComparison.Difference(wanted, actual[i]);
            Assert.True(difference is null, $"{engine}: output {i} {difference}");
            SymbolicShape? inferred = graph.Outputs[i].Shape;
            Assert.True(inferred is null || inferred.Matches(actual[i].Shape), $"{engine}: output {i} was inferred as {inferred}, is {actual[i].Shape}");
            Assert.Equal(graph.Outputs[i].Type, actual[i].Type);
        }
    }
}
