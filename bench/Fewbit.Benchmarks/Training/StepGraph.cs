using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Training;

/// <summary>Forward pass, softmax cross-entropy, gradients and SGD with momentum as one graph, compiled.</summary>
internal sealed class StepGraph
{
    private const string Labels = "labels", Rate = "rate";

    private StepGraph(Plan plan, Dictionary<string, Tensor> inputs) => (Plan, Inputs) = (plan, inputs);

    public Plan Plan { get; }

    public Dictionary<string, Tensor> Inputs { get; }

    public static StepGraph Compile(TrainingNetwork network)
    {
        Graph graph = network.Create();
        Dictionary<string, Tensor> inputs = network.Inputs(graph, Labels);
        foreach (Value input in graph.Inputs) input.Shape = SymbolicShape.From(inputs[input.Name].Shape);
        Inference.Infer(graph);
        var norms = new TrainBatchNorm();
        norms.Run(graph);
        var updates = new Dictionary<string, string>(norms.Updates, StringComparer.Ordinal);
        Value[] learned = [.. graph.Constants.Where(IsLearned)];
        foreach (Value parameter in learned) parameter.IsVariable = true;
        Passes.PrepareForGradients(graph);
        Value labels = graph.AddInput(Labels, ElementType.Int64, SymbolicShape.From(inputs[Labels].Shape)), rate = graph.AddInput(Rate, ElementType.Float32, []);
        inputs.Add(Rate, Tensor.Scalar(1e-3f));
        Value loss = CrossEntropy(graph.Outputs[0], labels);
        Value[] gradients = Gradients.Of(loss, learned);
        foreach ((Value parameter, Value gradient) in learned.Zip(gradients)) AddSgd(graph, parameter, gradient, rate, updates);
        graph.RemoveOutput(graph.Outputs[0]);
        graph.AddOutput(loss);
        Passes.PrepareForTraining(graph, updates.Values);
        Plan plan = Plan.Compile(graph, new() { Inputs = inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape), Outputs = [loss.Name], Updates = updates });
        return new(plan, inputs);
    }

    /// <summary>Parameters: what layers multiply by, scales, biases; no statistics.</summary>
    private static bool IsLearned(Value value) => value.Constant is { Type: ElementType.Float32, Rank: > 0 } && !value.IsVariable;

    /// <summary>The mean over all rows of scores [..., classes].</summary>
    private static Value CrossEntropy(Value scores, Value labels)
    {
        Value rows = scores.Shape!.Rank == 2 ? scores : scores.Reshape(-1, scores.Shape.Dims[^1].Length);
        return rows.Apply("SoftmaxCrossEntropyLoss", labels);
    }

    private static void AddSgd(Graph graph, Value parameter, Value gradient, Value rate, Dictionary<string, string> updates)
    {
        Value velocity = graph.AddConstant(parameter.Name + "/velocity", Tensor.Allocate(ElementType.Float32, parameter.Constant!.Shape));
        velocity.IsVariable = true;
        Node step = graph.InsertNode(graph.Nodes.Count, "ai.fewbit", "SgdUpdate", [parameter, velocity, gradient, rate], new() { { "momentum", 0.9f }, { "weight_decay", 1e-4f } }, outputs: 2);
        (updates[parameter.Name], updates[velocity.Name]) = (step.Outputs[0].Name, step.Outputs[1].Name);
    }
}
