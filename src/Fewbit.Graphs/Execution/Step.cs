using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>One thing that a plan does.</summary>
internal abstract class Step
{
    public abstract Node Node { get; }

    /// <summary>Name of what computes the node.</summary>
    public abstract string Kernel { get; }

    /// <summary>Shape of the first output for a report; empty where only a run tells.</summary>
    public abstract string OutputShape { get; }

    public abstract void Run();
}

/// <summary>A node whose tensors have fixed places.</summary>
internal sealed class StaticStep(EvaluationContext context, IKernel? kernel) : Step
{
    private readonly bool _isEmpty = context.HasNothingToCompute;

    public EvaluationContext Context => context;

    public override Node Node => context.Node;

    public override string Kernel => NameOf(kernel?.GetType() ?? context.Node.Operator.GetType());

    public override string OutputShape => context.HasOutput(0) ? context.Output(0).Shape.ToString() : "";

    public override void Run()
    {
        if (_isEmpty) return;
        if (kernel is not null) OperatorCalls.Run(kernel, context);
        else OperatorCalls.Evaluate(context.Node, context);
    }

    private static string NameOf(Type type) => type.IsGenericType ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>" : type.Name;
}

/// <summary>A node whose output shapes follow from its inputs' contents: inferred and allocated at each run.</summary>
internal sealed class DynamicStep(Node node, Interpreter interpreter, Func<Value, Tensor?> find, Dictionary<Value, Tensor> results, RunBudget budget) : Step
{
    private long _held;
    private int _run;

    public override Node Node => node;

    public override string Kernel => "interpreter";

    public override string OutputShape => "";

    public override void Run()
    {
        Tensor[] outputs = interpreter.RunNode(node, find);
        // In the body of a loop the step runs again and again, and keeps what it computed last.
        if (_run == budget.RunNumber) budget.GiveBack(_held);
        (_run, _held) = (budget.RunNumber, outputs.Sum(output => output.ByteCount));
        budget.Take(node, _held);
        for (int i = 0; i < outputs.Length; i++) results[node.Outputs[i]] = outputs[i];
    }
}

/// <summary>A node that runs bodies of its own. Outputs whose shape is known have a place, as those of other nodes.</summary>
internal sealed class ControlStep(Node node, Interpreter interpreter, PlanCompiler plan, Dictionary<Value, Tensor> results) : Step
{
    private readonly BodyScope _scope = new(plan);

    public override Node Node => node;

    public override string Kernel => "control flow";

    public override string OutputShape => plan.PlaceOf(node.Outputs[0])?.Shape.ToString() ?? "";

    public override void Run()
    {
        _scope.Begin();
        Tensor[] outputs = interpreter.RunNode(node, plan.FindAtRun, _scope);
        for (int i = 0; i < outputs.Length; i++)
        {
            if (plan.PlaceOf(node.Outputs[i]) is { } place) outputs[i].CopyTo(place);
            else results[node.Outputs[i]] = plan.Detach(outputs[i]);
        }
    }
}
