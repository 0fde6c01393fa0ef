using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>One parameter with its gradient, on its way to the node that updates it.</summary>
/// <param name="parameter">The variable.</param>
/// <param name="gradient">Of its shape.</param>
/// <param name="step">The numbers of the step, a graph input.</param>
/// <param name="weightDecay">The decay of its group.</param>
/// <param name="updates">Takes variable and new contents by name.</param>
internal sealed class ParameterUpdate(Value parameter, Value gradient, Value step, double weightDecay, Dictionary<string, string> updates)
{
    public double WeightDecay => weightDecay;

    /// <summary>Appends an optimizer's operator: inputs parameter, states, gradient, step; outputs parameter and states anew.</summary>
    /// <param name="operatorType">Operator of the Fewbit domain.</param>
    /// <param name="attributes">Its attributes.</param>
    /// <param name="states">Roles of the states, which start at zero; null leaves one out.</param>
    public void Append(string operatorType, Attributes attributes, params ReadOnlySpan<string?> states)
    {
        Graph graph = parameter.Graph;
        var variables = new List<Value?> { parameter };
        foreach (string? role in states) variables.Add(role is null ? null : Zeros($"{parameter.Name}/{role}"));
        Node node = graph.InsertNode(graph.Nodes.Count, OperatorTable.FewbitDomain, operatorType, [.. variables, gradient, step], attributes, variables.Count, $"update/{parameter.Name}");
        for (int i = 0; i < variables.Count; i++)
        {
            if (variables[i] is { } variable) updates.Add(variable.Name, node.Outputs[i].Name);
        }
    }

    private Value Zeros(string name)
    {
        Value state = parameter.Graph.AddConstant(name, Tensor.Allocate(ElementType.Float32, parameter.Constant!.Shape));
        state.IsVariable = true;
        return state;
    }
}
