using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Control;

/// <summary>Runs a graph in the interpreter and in a plan, twice, and checks that they agree.</summary>
internal static class ControlRun
{
    public static Tensor[] All(Graph graph, params (string Name, Tensor Tensor)[] inputs)
    {
        Inference.Infer(graph);
        var fed = inputs.ToDictionary(input => input.Name, input => input.Tensor);
        Tensor[] interpreted = new Interpreter().Run(graph, fed);
        Plan plan = Plan.Compile(graph, new() { Inputs = fed.ToDictionary(pair => pair.Key, pair => pair.Value.Shape) });
        for (int run = 0; run < 2; run++)
        {
            plan.Run(fed);
            foreach ((int i, Value output) in graph.Outputs.Index())
            {
                Tensor planned = plan.Output(output.Name);
                Assert.Equal(interpreted[i].ToString(), planned.ToString());
                Assert.Equal(interpreted[i].Bytes.ToArray(), planned.Bytes.ToArray());
                Assert.True(output.Shape is null || output.Shape.Matches(planned.Shape), $"{output} is {planned}");
            }
        }
        return interpreted;
    }

    public static Value Node(this Graph graph, string opType, params Value?[] inputs) => graph.AddNode(opType, inputs).Outputs[0];

    /// <summary>A body whose first inputs are the iteration and the condition, which it hands on.</summary>
    public static Graph LoopBody(Graph parent)
    {
        var body = new Graph("body", parent: parent);
        body.AddInput(body.UniqueName("iteration"), ElementType.Int64, []);
        Value condition = body.AddInput(body.UniqueName("condition"), ElementType.Bool, []);
        body.AddOutput(body.Node("Identity", condition));
        return body;
    }

    public static float[] Floats(Tensor tensor) => tensor.Span<float>().ToArray();
}
